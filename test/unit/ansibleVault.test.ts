import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fernetKey, openVault, password } from '../../src/ansible/vault.ts';
import { decrypt, encrypt } from '../../src/ansible/vaultFormat.ts';
import { fernet } from '../../src/services-api/fernet.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cs vault-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const vault = (more: { passwordFile?: string } = {}) => openVault({ dir, vaultId: 'development', ...more });

describe('generated secrets', () => {
  it('are 64 characters that RDS takes, all of the alphabet, never the same', () => {
    const many = Array.from({ length: 200 }, () => password());
    for (const one of many) expect(one).toMatch(/^[A-Za-z0-9]{64}$/);
    expect(new Set(many).size).toBe(200);
    expect(new Set(many.join('')).size).toBe(62);
  });

  it('include keys that Fernet takes', () => {
    const key = fernetKey();
    expect(key).toMatch(/^[A-Za-z0-9_-]{43}=$/);
    expect(Buffer.from(key, 'base64url')).toHaveLength(32);
  });
});

const hasCryptography = spawnSync('python3', ['-c', 'import cryptography.fernet']).status === 0;

describe.skipIf(!hasCryptography)("Python's cryptography (skipped where it is not installed)", () => {
  it('encrypts and decrypts with our Fernet keys, and reads what our own Fernet wrote', () => {
    const key = fernetKey();
    const program = [
      'import sys, json',
      'from cryptography.fernet import Fernet',
      'given = json.load(sys.stdin)',
      'fernet = Fernet(given["key"])',
      'print(fernet.decrypt(fernet.encrypt(b"there and back")).decode())',
      'print(fernet.decrypt(given["token"].encode()).decode())',
    ].join('\n');
    const said = execFileSync('python3', ['-c', program], {
      input: JSON.stringify({ key, token: fernet([key]).encrypt('from here') }),
      encoding: 'utf8',
    });
    expect(said).toBe('there and back\nfrom here\n');
  });
});

describe('vault', () => {
  it('makes a secret once, keeps it encrypted, and gives it again', async () => {
    const secret = await vault().secret('vault_database_password');
    expect(secret).toHaveLength(64);
    expect(await vault().secret('vault_database_password')).toBe(secret);
    for (const name of ['vault.yml', 'vault-password']) {
      expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(dir, name), 'utf8')).not.toContain(secret);
    }
    expect(readFileSync(join(dir, 'vault.yml'), 'utf8')).toMatch(/^\$ANSIBLE_VAULT;1\.2;AES256;development\n/);
    expect(readdirSync(dir).sort()).toEqual(['vault-password', 'vault.yml']);
  });

  it('is asked by many at once without losing one', async () => {
    const opened = vault();
    const names = Array.from({ length: 20 }, (_, index) => `secret_${index % 10}`);
    const values = await Promise.all(names.map((name) => opened.secret(name)));
    expect(new Set(values).size).toBe(10);
    const again = vault();
    expect(await Promise.all(names.map((name) => again.secret(name)))).toEqual(values);
  });

  it('makes several in one write', async () => {
    const opened = vault();
    await opened.ensure({ one: password, key: fernetKey });
    const written = readFileSync(opened.file, 'utf8');
    await opened.ensure({ one: password, key: fernetKey });
    expect(readFileSync(opened.file, 'utf8')).toBe(written);
    expect(await opened.secret('key')).toMatch(/=$/);
  });

  it('keeps what a person wrote into it, also while it is open', async () => {
    const opened = vault();
    const first = await opened.secret('first');
    const key = readFileSync(opened.passwordFile, 'utf8').trim();
    const edited = `# ours, do not touch\nfirst: ${first}\nlist: [1, 2]\nmine: "a: b"\n`;
    writeFileSync(opened.file, await encrypt(edited, key, 'development'));
    expect(await opened.secret('mine')).toBe('a: b');
    await opened.secret('second');
    const text = (await decrypt(readFileSync(opened.file, 'utf8'), key)) as string;
    expect(text).toContain('# ours, do not touch');
    expect(text).toMatch(/list: \[ ?1, 2 ?\]/);
    expect(text).toMatch(/second: "[A-Za-z0-9]{64}"/);
  });

  it('names the password file when the password is wrong, and makes none where secrets exist', async () => {
    const opened = vault();
    await opened.secret('one');
    const before = readFileSync(opened.file, 'utf8');
    writeFileSync(opened.passwordFile, 'another');
    await expect(vault().secret('one')).rejects.toMatchObject({
      code: 'VaultPassword',
      message: expect.stringContaining(opened.passwordFile),
    });
    rmSync(opened.passwordFile);
    await expect(vault().secret('two')).rejects.toMatchObject({ exitCode: 2 });
    expect(readFileSync(opened.file, 'utf8')).toBe(before);
    expect(readdirSync(dir)).toEqual(['vault.yml']);
  });

  it('changes values in place: comments, order and other keys stay; lists; removal', async () => {
    const opened = vault();
    await opened.secret('first');
    const key = readFileSync(opened.passwordFile, 'utf8').trim();
    const edited = '# ours\nfirst: old # of 2020\nmine: {a: 1}\n\n# the last\nlast: x\n';
    writeFileSync(opened.file, await encrypt(edited, key, 'development'));
    const heard: string[] = [];
    const listening = openVault({ dir, vaultId: 'development', onSecret: (value) => heard.push(value) });
    await listening.set({ first: 'new', former: ['old', 'older'], last: undefined });
    expect(await decrypt(readFileSync(opened.file, 'utf8'), key)).toMatch(
      /^# ours\nfirst: "new" # of 2020\nmine: \{ ?a: 1 ?\}\n[\s\S]*former:\n {2}- "old"\n {2}- "older"\n/,
    );
    expect(await listening.names()).toEqual(['first', 'mine', 'former']);
    expect([await listening.peek('first'), await listening.peek('last')]).toEqual(['new', undefined]);
    expect(await listening.list('former')).toEqual(['old', 'older']);
    expect(heard).toEqual(expect.arrayContaining(['new', 'old', 'older']));
    await expect(listening.list('first')).rejects.toMatchObject({ code: 'VaultDamaged' });
  });

  it('takes its password from elsewhere, and says how to change to it', async () => {
    await vault().secret('one');
    const passwordFile = join(dir, 'vault-password-client');
    const other = openVault({ dir, vaultId: 'development', passwordFile, password: async () => 'another' });
    await expect(other.secret('one')).rejects.toMatchObject({
      code: 'VaultPassword',
      hint: expect.stringMatching(/ansible-vault rekey --vault-id development@.*vault-password --new-vault-id/),
    });
    const same = readFileSync(join(dir, 'vault-password'), 'utf8').trim();
    const right = openVault({ dir, vaultId: 'development', passwordFile, password: async () => same });
    expect(await right.peek('one')).toHaveLength(64);
  });

  it('refuses a password file that is missing or empty', async () => {
    const passwordFile = join(dir, 'mine');
    await expect(vault({ passwordFile }).secret('one')).rejects.toMatchObject({ exitCode: 2 });
    writeFileSync(passwordFile, '\n');
    await expect(vault({ passwordFile }).secret('one')).rejects.toMatchObject({ code: 'VaultPassword' });
    writeFileSync(passwordFile, 'secret\n');
    const opened = vault({ passwordFile });
    await opened.secret('one');
    expect(opened.passwordBesideState).toBe(false);
    expect(await decrypt(readFileSync(opened.file, 'utf8'), 'secret')).toContain('one:');
  });

  it('takes the password from a program, as Ansible does', async () => {
    const passwordFile = join(dir, 'ask-client');
    writeFileSync(passwordFile, '#!/bin/sh\necho "$1 $2"\n', { mode: 0o700 });
    const opened = vault({ passwordFile });
    await opened.secret('one');
    expect(await decrypt(readFileSync(opened.file, 'utf8'), '--vault-id development')).toContain('one:');
  });

  it.each([
    ['clear text', 'one: two\n', 'is not encrypted'],
    ['a damaged vault', '$ANSIBLE_VAULT;1.1;AES256\n6162\n', 'cut off or damaged'],
    ['another format', '$ANSIBLE_VAULT;2.0;AES512\n6162\n', 'no vault of version'],
  ])('refuses %s and leaves it as it is', async (_, text, words) => {
    writeFileSync(join(dir, 'vault-password'), 'x');
    writeFileSync(join(dir, 'vault.yml'), text);
    await expect(vault().secret('one')).rejects.toMatchObject({
      code: 'VaultDamaged',
      message: expect.stringContaining(words),
    });
    expect(readFileSync(join(dir, 'vault.yml'), 'utf8')).toBe(text);
  });

  it('never repeats a secret in an error about what is in it', async () => {
    writeFileSync(join(dir, 'vault-password'), 'x');
    writeFileSync(join(dir, 'vault.yml'), await encrypt('one: [hunter2\n', 'x', 'development'));
    const error = await vault()
      .secret('one')
      .catch((caught: Error) => caught);
    expect(String(error)).toContain('line');
    expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
  });
});

describe('vault format', () => {
  it.each(['', 'x', 'a'.repeat(15), 'b'.repeat(16), 'ünï: ✓\n'.repeat(500)])(
    'gives back what it was given (%#)',
    async (text) => {
      expect(await decrypt(await encrypt(text, 'pass', 'default'), 'pass')).toBe(text);
    },
  );

  it('tells a changed text from a right one', async () => {
    const good = await encrypt('secret', 'pass', 'default');
    expect(await decrypt(good, 'other')).toBeUndefined();
    const at = good.length - 10;
    const changed = `${good.slice(0, at)}${good[at] === '1' ? '2' : '1'}${good.slice(at + 1)}`;
    expect(await decrypt(changed, 'pass').catch(() => undefined)).toBeUndefined();
  });
});

const hasAnsible = spawnSync('ansible-vault', ['--version']).status === 0;

describe.skipIf(!hasAnsible)('the real ansible-vault', () => {
  const run = (args: string[], input?: string): string =>
    execFileSync('ansible-vault', args, {
      encoding: 'utf8',
      input,
      env: { ...process.env, ANSIBLE_HOME: dir, LC_ALL: 'C.UTF-8' },
    });

  it('reads ours, and we read its', async () => {
    const opened = vault();
    const secret = await opened.secret('vault_one');
    const id = `development@${opened.passwordFile}`;
    expect(run(['view', '--vault-id', id, opened.file])).toBe(`vault_one: "${secret}"\n`);
    const text = `vault_one: "${secret}"\nvault_two: übung\n`;
    const theirs = run(['encrypt', '--vault-id', id, '--encrypt-vault-id', 'development', '--output', '-'], text);
    writeFileSync(opened.file, theirs);
    expect(await opened.secret('vault_two')).toBe('übung');
    const plain = run(['encrypt', '--vault-password-file', opened.passwordFile, '--output', '-'], text);
    expect(plain).toMatch(/^\$ANSIBLE_VAULT;1\.1;AES256\n/);
    expect(await decrypt(plain, readFileSync(opened.passwordFile, 'utf8').trim())).toBe(text);
    const inline = run(['encrypt_string', '--vault-id', id, '--name', 'vault_three', 'within']);
    writeFileSync(opened.file, await encrypt(inline, readFileSync(opened.passwordFile, 'utf8').trim(), 'development'));
    expect(await opened.secret('vault_three')).toBe('within');
  }, 60_000);
});
