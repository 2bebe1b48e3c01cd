import { generateKeyPairSync } from 'node:crypto';
import {
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DescribeKeyPairsCommand,
  ImportKeyPairCommand,
} from '@aws-sdk/client-ec2';
import { hasCode } from '../engine/types.ts';
import type { Aws } from './clients.ts';
import { codeOf, ignoreGone, isNotFound } from './errors.ts';
import { fromTagList, tagSpecifications } from './resources/common.ts';

/** No Cloudspace's name holds a slash: this is never the name of one's own key pair. */
const keyName = (name: string): string => `cloudspace-lease/${name}`;

const LEASE_TAG = {
  name: 'cloudspace:lease',
  who: 'cloudspace:lease-who',
  command: 'cloudspace:lease-command',
  process: 'cloudspace:lease-process',
  renewed: 'cloudspace:lease-renewed',
} as const;

/** What the engine's `Claim` and `Held` are, without importing them: aws knows the engine's types.ts alone. */
interface Claim {
  readonly who: string;
  readonly command: string;
  readonly machine: string;
  readonly pid: number;
  readonly started: string;
}

/**
 * A lease as an EC2 key pair, which nothing uses and whose private half nobody has. Its name is unique in account and region (ImportKeyPair
 * fails with InvalidKeyPair.Duplicate), so that of two who claim at once one gets it; its id is new each time, so that deleting by id ends that
 * claim and no other. EC2 offers no other such pair before a network exists, and tags are last-writer-wins. Costs nothing.
 */
export function leaseStore(aws: Aws, name: string) {
  const KeyName = keyName(name);
  const now = (): number => Date.now() + (aws.skew() ?? 0);
  return {
    now,
    async claim({ who, command, machine, pid, started }: Claim): Promise<{ id: string } | 'held' | 'denied'> {
      const tags = {
        Name: KeyName,
        [LEASE_TAG.name]: name,
        [LEASE_TAG.who]: who.slice(0, 256),
        [LEASE_TAG.command]: command,
        [LEASE_TAG.process]: `${machine} ${pid} ${started}`.trim(),
        [LEASE_TAG.renewed]: new Date(now()).toISOString(),
      };
      try {
        const answer = await aws.ec2.send(
          new ImportKeyPairCommand({
            KeyName,
            PublicKeyMaterial: new TextEncoder().encode(publicKey()),
            TagSpecifications: tagSpecifications(tags, 'key-pair'),
          }),
        );
        return { id: answer.KeyPairId ?? '' };
      } catch (error) {
        const code = codeOf(error);
        // An answer that was lost may be that of a claim that arrived: reading says whose it is.
        if (code === 'InvalidKeyPair.Duplicate' || hasCode(error, 'OutcomeUnknown')) return 'held';
        if (hasCode(error, 'AccessDenied')) return 'denied';
        throw error;
      }
    },
    async read() {
      const Filters = [{ Name: 'key-name', Values: [KeyName] }];
      const [one] = (await aws.ec2.send(new DescribeKeyPairsCommand({ Filters }))).KeyPairs ?? [];
      if (!one?.KeyPairId) return undefined;
      const tags = fromTagList(one.Tags);
      const [machine = '', pid = '0', started = ''] = (tags[LEASE_TAG.process] ?? '').split(' ');
      const since = one.CreateTime?.getTime() ?? now();
      const renewed = Date.parse(tags[LEASE_TAG.renewed] ?? '');
      return {
        id: one.KeyPairId,
        who: tags[LEASE_TAG.who] ?? 'somebody',
        command: tags[LEASE_TAG.command] ?? '?',
        machine,
        pid: Number(pid),
        started,
        since,
        renewed: Number.isNaN(renewed) ? since : renewed,
      };
    },
    async renew(id: string): Promise<boolean> {
      const Tags = [{ Key: LEASE_TAG.renewed, Value: new Date(now()).toISOString() }];
      try {
        await aws.ec2.send(new CreateTagsCommand({ Resources: [id], Tags }));
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
    drop: (id: string): Promise<void> => ignoreGone(aws.ec2.send(new DeleteKeyPairCommand({ KeyPairId: id }))),
  };
}

/** A new OpenSSH public key. Its private half is forgotten at once. */
function publicKey(): string {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const strings = [Buffer.from('ssh-ed25519'), Buffer.from(x, 'base64url')];
  const blob = Buffer.concat(
    strings.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
  return `ssh-ed25519 ${blob.toString('base64')}`;
}
