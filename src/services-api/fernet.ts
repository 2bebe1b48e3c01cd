import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Fernet (github.com/fernet/spec): version 0x80, time stamp in seconds (8 bytes, big endian), IV (16), AES-128-CBC with PKCS 7 padding,
 * HMAC-SHA-256 over all of that; all in URL-safe base64. A key is 32 bytes: 16 to sign, 16 to encrypt.
 */
export interface Fernet {
  encrypt(text: string): string;
  /** Throws RangeError when no key fits, or the token was changed. */
  decrypt(token: string): string;
}

const VERSION = 0x80;
const HEADER = 1 + 8 + 16;
const HMAC = 32;

/**
 * The first key encrypts; all are tried to decrypt, so that a key can be changed while old values are still stored.
 * Throws RangeError on a key that is not 32 bytes of URL-safe base64.
 */
export function fernet(keys: readonly string[], now: () => number = Date.now): Fernet {
  const parsed = keys.map(parseKey);
  const [first] = parsed;
  if (!first) throw new RangeError('no Fernet key was given');
  return {
    encrypt(text) {
      const header = Buffer.alloc(HEADER);
      header[0] = VERSION;
      header.writeBigUInt64BE(BigInt(Math.floor(now() / 1000)), 1);
      const iv = randomBytes(16);
      iv.copy(header, 9);
      const cipher = createCipheriv('aes-128-cbc', first.encryption, iv);
      const signed = Buffer.concat([header, cipher.update(text, 'utf8'), cipher.final()]);
      return urlSafe(Buffer.concat([signed, hmac(first.signing, signed)]));
    },
    decrypt(token) {
      const bytes = fromUrlSafe(token);
      const length = bytes.length - HEADER - HMAC;
      if (bytes[0] !== VERSION || length < 16 || length % 16 !== 0) throw new RangeError('this is no Fernet token');
      const signed = bytes.subarray(0, -HMAC);
      const mac = bytes.subarray(-HMAC);
      for (const key of parsed) {
        if (!timingSafeEqual(hmac(key.signing, signed), mac)) continue;
        const decipher = createDecipheriv('aes-128-cbc', key.encryption, signed.subarray(9, HEADER));
        return Buffer.concat([decipher.update(signed.subarray(HEADER)), decipher.final()]).toString('utf8');
      }
      throw new RangeError('the Fernet token was changed, or encrypted with another key');
    },
  };
}

interface Key {
  readonly signing: Buffer;
  readonly encryption: Buffer;
}

function parseKey(text: string): Key {
  const bytes = fromUrlSafe(text);
  if (bytes.length !== 32) throw new RangeError('a Fernet key is 32 bytes in URL-safe base64 (44 characters)');
  return { signing: bytes.subarray(0, 16), encryption: bytes.subarray(16) };
}

const hmac = (key: Buffer, data: Buffer): Buffer => createHmac('sha256', key).update(data).digest();

const urlSafe = (bytes: Buffer): string => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');

/** Node skips characters that are no base64; here they are an error. */
function fromUrlSafe(text: string): Buffer {
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text) || text.length % 4 !== 0) throw new RangeError('this is no URL-safe base64');
  return Buffer.from(text, 'base64url');
}
