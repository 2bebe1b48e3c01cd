import { DeleteKeyPairCommand, DescribeKeyPairsCommand, ImportKeyPairCommand } from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import {
  cliTagSpecifications,
  ec2Tags,
  found,
  ofCloudspace,
  optional,
  TAG,
  tagSpecifications,
  words,
} from './common.ts';

export interface KeyPairProps {
  /** one OpenSSH public key line: ssh-ed25519 or ssh-rsa */
  readonly publicKey: string;
  /** left out: the Cloudspace's name */
  readonly name?: string;
}

export interface KeyPairOutput extends Output {
  /** what RunInstances and Terraform call it by */
  readonly name: string;
  readonly publicKey?: string;
}

/** Type and key without the comment. */
const bare = (publicKey: string) => publicKey.trim().split(/\s+/).slice(0, 2).join(' ');

export const keyPair: Kind<KeyPairProps, KeyPairOutput, Aws> = {
  type: 'aws_key_pair',
  label: 'key pair',
  async list(aws, scope) {
    // the API has no pages here
    const answer = await scope.once('DescribeKeyPairs', () =>
      aws.ec2.send(new DescribeKeyPairsCommand({ Filters: [ofCloudspace(scope)], IncludePublicKey: true })),
    );
    return (answer.KeyPairs ?? []).map((one) =>
      found(
        {
          id: one.KeyPairId ?? one.KeyName ?? '',
          name: one.KeyName ?? '',
          ...optional('publicKey', one.PublicKey && bare(one.PublicKey)),
        },
        one.Tags,
      ),
    );
  },
  async create(aws, props, { tags, name, signal }) {
    const KeyName = props.name ?? name;
    const answer = await aws.ec2.send(
      new ImportKeyPairCommand({
        KeyName,
        PublicKeyMaterial: new TextEncoder().encode(props.publicKey),
        TagSpecifications: tagSpecifications(tags, 'key-pair'),
      }),
      { abortSignal: signal },
    );
    return { id: answer.KeyPairId ?? KeyName, name: KeyName, publicKey: bare(props.publicKey) };
  },
  drift: (props, out) =>
    out.publicKey === undefined || out.publicKey === bare(props.publicKey)
      ? []
      : [{ attribute: 'publicKey', want: bare(props.publicKey), have: out.publicKey }],
  delete: (aws, { name }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteKeyPairCommand({ KeyName: name }), { abortSignal: signal })),
  ...ec2Tags(),
  cli: (props, { tags }) => {
    const name = props.name ?? tags[TAG.name] ?? '';
    const key = Buffer.from(props.publicKey).toString('base64');
    return words`aws ec2 import-key-pair --key-name ${name} --public-key-material ${key} ${cliTagSpecifications(tags, 'key-pair')}`;
  },
};
