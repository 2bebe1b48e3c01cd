import {
  DeleteKeyPairCommand,
  DescribeKeyPairsCommand,
  ImportKeyPairCommand,
  type KeyPairInfo,
} from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import {
  candidate,
  cliTagSpecifications,
  differs,
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

const output = (one: KeyPairInfo): KeyPairOutput => ({
  id: one.KeyPairId ?? one.KeyName ?? '',
  name: one.KeyName ?? '',
  ...optional('publicKey', one.PublicKey && bare(one.PublicKey)),
});

export const keyPair: Kind<KeyPairProps, KeyPairOutput, Aws> = {
  type: 'aws_key_pair',
  label: 'key pair',
  async list(aws, scope) {
    // the API has no pages here
    const answer = await scope.once('DescribeKeyPairs', () =>
      aws.ec2.send(new DescribeKeyPairsCommand({ Filters: [ofCloudspace(scope)], IncludePublicKey: true })),
    );
    return (answer.KeyPairs ?? []).map((one) => found(output(one), one.Tags));
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
    out.publicKey === undefined ? [] : differs('publicKey', bare(props.publicKey), out.publicKey, { fixed: true }),
  async candidates(aws) {
    const answer = await aws.ec2.send(new DescribeKeyPairsCommand({ IncludePublicKey: true }));
    return (answer.KeyPairs ?? []).map((one) => ({
      called: one.KeyName ?? '',
      ...candidate(output(one), one.Tags),
    }));
  },
  delete: (aws, { name }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteKeyPairCommand({ KeyName: name }), { abortSignal: signal })),
  ...ec2Tags(),
  cli: (props, { tags }) => {
    const name = props.name ?? tags[TAG.name] ?? tags.Name ?? '';
    const key = Buffer.from(props.publicKey).toString('base64');
    return words`aws ec2 import-key-pair --key-name ${name} --public-key-material ${key} ${cliTagSpecifications(tags, 'key-pair')}`;
  },
};
