import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const ITERATIONS = 4096;

/**
 * What PostgreSQL stores in place of a password (RFC 5803 with SCRAM-SHA-256, PostgreSQL's default of 4096 iterations). Sent instead of the password,
 * it keeps the password out of the server's log. For ASCII passwords, which SASLprep leaves as they are.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** 40 random letters and digits (238 bits): fits URLs without escaping. */
export function randomPassword(): string {
  let text = '';
  while (text.length < 40) {
    for (const byte of randomBytes(64)) {
      // 248 = 4 × 62: bytes above would make the first letters likelier.
      if (byte < 248 && text.length < 40) text += ALPHABET[byte % 62];
    }
  }
  return text;
}
