import { createHash, createPublicKey } from 'node:crypto';
import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, invalid, notFound } from '../errors.ts';
import { filtered } from '../filters.ts';
import { on } from '../operation.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId, type RegionWorld } from '../world.ts';
import type { KeyPair } from './records.ts';

/** Strings of SSH's wire format (RFC 4251): four bytes of length, then the bytes. */
function sshStrings(blob: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let offset = 0;
  while (offset + 4 <= blob.length) {
    const end = offset + 4 + blob.readUInt32BE(offset);
    parts.push(blob.subarray(offset + 4, end));
    offset = end;
  }
  return parts;
}

/**
 * Reads an OpenSSH public key and computes the fingerprint that EC2 shows for imported keys: for ED25519 the SHA-256 of the key in
 * base64, for RSA the MD5 of its DER form. Throws InvalidKey.Format for anything else. Source: EC2 User Guide, "Verify the fingerprint".
 */
function readPublicKey(text: string): Pick<KeyPair, 'type' | 'fingerprint' | 'publicKey'> {
  const [kind = '', base64 = ''] = text.trim().split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  const [name, first, second] = sshStrings(blob);
  const publicKey = `${kind} ${base64}`;
  if (kind === 'ssh-ed25519' && name?.toString() === kind && first?.length === 32) {
    return { type: 'ed25519', fingerprint: createHash('sha256').update(blob).digest('base64'), publicKey };
  }
  if (kind === 'ssh-rsa' && name?.toString() === kind && first?.length && second?.length) {
    const number = (bytes: Buffer) => bytes.subarray(bytes.findIndex((byte) => byte !== 0)).toString('base64url');
    const key = createPublicKey({ key: { kty: 'RSA', e: number(first), n: number(second) }, format: 'jwk' });
    const md5 = createHash('md5')
      .update(key.export({ type: 'spki', format: 'der' }))
      .digest('hex');
    return { type: 'rsa', fingerprint: md5.match(/../g)?.join(':') ?? '', publicKey };
  }
  throw new AwsError('InvalidKey.Format', 'Key is not in valid OpenSSH public key format');
}

function describeKey(region: RegionWorld, key: KeyPair, withPublicKey: boolean) {
  return {
    KeyPairId: key.id,
    KeyName: key.name,
    KeyType: key.type,
    KeyFingerprint: key.fingerprint,
    CreateTime: new Date(key.createdAt),
    ...(withPublicKey ? { PublicKey: `${key.publicKey} ${key.name}` } : {}),
    Tags: tagList(region, key.id),
  };
}

export const keyPairOperations = [
  on(ec2.ImportKeyPairCommand, (input, { region, clock }) => {
    const { KeyName = '', PublicKeyMaterial = new Uint8Array() } = input;
    if (!KeyName || KeyName.length > 255) throw invalid(`Value (${KeyName}) for parameter KeyName is invalid.`);
    const material = readPublicKey(Buffer.from(PublicKeyMaterial).toString('utf8'));
    if (region.keyPairs[KeyName]) {
      throw new AwsError('InvalidKeyPair.Duplicate', `The keypair '${KeyName}' already exists.`);
    }
    const key: KeyPair = { id: newId('key'), name: KeyName, ...material, createdAt: clock.now() };
    region.keyPairs[KeyName] = key;
    setTags(region, key.id, requestedTags(input.TagSpecifications, 'key-pair'));
    return {
      KeyName,
      KeyPairId: key.id,
      KeyFingerprint: key.fingerprint,
      Tags: tagList(region, key.id),
    };
  }),

  on(ec2.DescribeKeyPairsCommand, (input, { region }) => {
    const { KeyNames = [], KeyPairIds = [], IncludePublicKey = false } = input;
    const all = Object.values(region.keyPairs);
    const unknown = [
      ...KeyNames.filter((name) => !region.keyPairs[name]),
      ...KeyPairIds.filter((id) => !all.some((key) => key.id === id)),
    ];
    if (unknown.length) throw notFound('keyPair', unknown);
    const described = all
      .filter((key) => !KeyNames.length || KeyNames.includes(key.name))
      .filter((key) => !KeyPairIds.length || KeyPairIds.includes(key.id))
      .map((key) => describeKey(region, key, IncludePublicKey));
    const aliases = { fingerprint: 'KeyFingerprint' };
    return { KeyPairs: filtered(described, input.Filters, ec2.KeyPairInfo$, aliases) };
  }),

  on(ec2.DeleteKeyPairCommand, ({ KeyName, KeyPairId }, { region }) => {
    if (KeyName === undefined && KeyPairId === undefined) {
      throw new AwsError('MissingParameter', 'The request must contain the parameter KeyName or KeyPairId');
    }
    const key = Object.values(region.keyPairs).find((one) => one.name === KeyName || one.id === KeyPairId);
    // A name that is not there is no error; an id that is not there is one.
    if (!key && KeyPairId !== undefined) throw notFound('keyPair', [KeyPairId]);
    if (key) {
      delete region.keyPairs[key.name];
      delete region.tags[key.id];
    }
    return { Return: true, ...(key ? { KeyPairId: key.id } : {}) };
  }),
];
