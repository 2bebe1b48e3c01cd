import { createCipheriv, createDecipheriv, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * Ansible Vault's file format 1.1 and 1.2, cipher AES256, as documented under "Ansible Vault payload format" in Ansible's vault guide:
 * a header line, then hexadecimal digits in lines of 80. They stand for three hexadecimal texts, one a line: salt, HMAC and ciphertext.
 * PBKDF2-SHA256 makes two keys of 32 bytes and the counter's first value of 16; AES-256-CTR over PKCS#7 padding; HMAC-SHA256 of the ciphertext.
 */
const ITERATIONS = 10_000;
const derive = promisify(pbkdf2);

async function keys(password: string, salt: Buffer): Promise<{ cipher: Buffer; mac: Buffer; counter: Buffer }> {
  const all = await derive(password, salt, ITERATIONS, 80, 'sha256');
  return { cipher: all.subarray(0, 32), mac: all.subarray(32, 64), counter: all.subarray(64) };
}

export function isVault(text: string): boolean {
  return text.startsWith('$ANSIBLE_VAULT;');
}

/** Encrypts text with a password, under a vault id. Output ends with a newline, as `ansible-vault` writes it. */
export async function encrypt(text: string, password: string, vaultId: string): Promise<string> {
  const salt = randomBytes(32);
  const { cipher, mac, counter } = await keys(password, salt);
  const plain = Buffer.from(text, 'utf8');
  const padding = 16 - (plain.length % 16);
  const aes = createCipheriv('aes-256-ctr', cipher, counter);
  const secret = Buffer.concat([aes.update(Buffer.concat([plain, Buffer.alloc(padding, padding)])), aes.final()]);
  const hmac = createHmac('sha256', mac).update(secret).digest();
  const body = Buffer.from([salt, hmac, secret].map((part) => part.toString('hex')).join('\n')).toString('hex');
  const header = vaultId === 'default' ? '$ANSIBLE_VAULT;1.1;AES256' : `$ANSIBLE_VAULT;1.2;AES256;${vaultId}`;
  return `${[header, ...(body.match(/.{1,80}/g) ?? [])].join('\n')}\n`;
}

/**
 * Decrypts what `encrypt` or `ansible-vault` wrote. undefined when the password is another one or the content was changed, which cannot be told
 * apart. Throws Error on a text that is no vault of a known version.
 */
export async function decrypt(vaultText: string, password: string): Promise<string | undefined> {
  const [header = '', ...lines] = vaultText.split('\n').map((line) => line.trim());
  if (!/^\$ANSIBLE_VAULT;1\.[12];AES256(;|$)/.test(header))
    throw new Error(`"${header.slice(0, 40)}" is no vault of version 1.1 or 1.2 with AES256`);
  const parts = Buffer.from(lines.join(''), 'hex').toString('latin1').split('\n');
  if (parts.length !== 3) throw new Error('the vault is cut off or damaged');
  const [salt, hmac, secret] = parts.map((part) => Buffer.from(part, 'hex')) as [Buffer, Buffer, Buffer];
  const { cipher, mac, counter } = await keys(password, salt);
  const expected = createHmac('sha256', mac).update(secret).digest();
  if (hmac.length !== expected.length || !timingSafeEqual(hmac, expected)) return undefined;
  const aes = createDecipheriv('aes-256-ctr', cipher, counter);
  const padded = Buffer.concat([aes.update(secret), aes.final()]);
  return padded.subarray(0, padded.length - (padded.at(-1) ?? 0)).toString('utf8');
}
