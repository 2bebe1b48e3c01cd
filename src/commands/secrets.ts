import type { Vault } from '../ansible/vault.ts';
import { acquireLock } from '../engine/lock.ts';
import { CloudspaceError, usageError } from '../engine/types.ts';
import { referenceText, type SecretRef } from '../secrets/reference.ts';
import { KNOWN_SECRETS } from '../steps/secrets.ts';
import { closest } from './closest.ts';
import type { Context } from './context.ts';
import { openOwnVault } from './session/ownVault.ts';
import { locateExisting } from './session/places.ts';

/** A reference of the configuration and the setting that it is in. */
export interface NamedReference {
  readonly name: string;
  readonly ref: SecretRef;
}

/** All references of the configuration, by their settings' names. */
export function references({ options }: Pick<Context, 'options'>): NamedReference[] {
  const found: NamedReference[] = [];
  const look = (value: unknown, path: readonly string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('kind' in value) {
      const ref = value as SecretRef;
      if (ref.kind !== 'plain') found.push({ name: path.join('.'), ref });
      return;
    }
    for (const [key, inner] of Object.entries(value))
      look(inner, [...path, key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)]);
  };
  look(options.settings ?? {}, []);
  return found;
}

/** `cloudspace secrets list`: names of what the vault holds and where configured secrets are kept; never a value. */
export async function list(context: Context): Promise<number> {
  const { options, print } = context;
  const place = await locateExisting(context);
  const vault = await openOwnVault(context, place.dir);
  const names = await vault.names().finally(() => vault.close());
  const kept = references(context).map(({ name, ref }) => ({ name, reference: referenceText(ref) }));
  const keys = names.map((name) => ({ name, what: KNOWN_SECRETS[name]?.what ?? whatFormer(name) ?? null }));
  if (options.json) {
    const { file, vaultId, passwordFile, passwordBesideState } = vault;
    print(
      `${JSON.stringify({ vault: { file, vaultId, passwordFile, passwordBesideState }, keys, references: kept }, null, 2)}\n`,
    );
    return 0;
  }
  const width = Math.max(...[...names, ...kept.map(({ name }) => name)].map((name) => name.length), 0) + 2;
  const rows = keys.map(({ name, what }) => `  ${name.padEnd(width)}${what ?? 'your own'}`);
  print(
    `${[
      `${vault.file} (vault id ${vault.vaultId})`,
      ...(rows.length > 0 ? rows : ['  nothing yet']),
      ...(kept.length > 0 ? ['', 'cloudspace.yaml refers to'] : []),
      ...kept.map(({ name, reference }) => `  ${name.padEnd(width)}${reference}`),
      '',
      `The whole file: ansible-vault view --vault-id ${vault.vaultId}@${vault.passwordFile} ${vault.file}`,
    ].join('\n')}\n`,
  );
  return 0;
}

function whatFormer(name: string): string | undefined {
  if (KNOWN_SECRETS[name.replace(/_next$/, '')])
    return `a new value under way: run \`cloudspace secrets rotate ${name.replace(/_next$/, '')}\` again`;
  const of = Object.entries(KNOWN_SECRETS).find(([, { former }]) => former === name)?.[0];
  return of === undefined ? undefined : `former values of ${of}, to read what was encrypted with them`;
}

/** `cloudspace secrets show KEY`: after a yes, to a terminal only. Throws usage errors. */
export async function show(context: Context, out: NodeJS.WriteStream = process.stdout): Promise<number> {
  const { args, ui } = context;
  const [key = ''] = args;
  const place = await locateExisting(context);
  const vault = await openOwnVault(context, place.dir);
  try {
    await checkKnown(vault, key);
    if (!out.isTTY || context.options.json)
      throw usageError(
        'a secret is shown at a terminal only',
        `for a program: ansible-vault view --vault-id ${vault.vaultId}@${vault.passwordFile} ${vault.file}`,
        'NoTerminal',
      );
    const sure = await ui.ask({
      kind: 'confirm',
      id: 'secrets.show',
      message: `Show ${key} on this screen?`,
      help: 'It stays in the scrollback of the terminal until that is cleared.',
      default: false,
    });
    if (!sure) throw new CloudspaceError('declined: nothing was shown', { code: 'Declined' });
    out.write(`${await vault.peek(key)}\n`);
    return 0;
  } finally {
    await vault.close();
  }
}

/** Throws a usage error that names what is there when the key is not. */
export async function checkKnown(vault: Vault, key: string): Promise<void> {
  const names = await vault.names();
  if (names.includes(key)) return;
  const near = closest(key, names);
  throw usageError(
    `the vault holds no "${key}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    names.length === 0 ? 'it is empty yet: the walkthrough fills it' : `it holds ${names.join(', ')}`,
    'NoSuchSecret',
  );
}

/** Opens place, lock and vault for a change. */
export async function withVault<T>(
  context: Context,
  command: string,
  work: (place: Awaited<ReturnType<typeof locateExisting>>, vault: Vault) => Promise<T>,
): Promise<T> {
  const place = await locateExisting(context);
  const lock = acquireLock(place.dir, command);
  try {
    const vault = await openOwnVault(context, place.dir);
    try {
      return await work(place, vault);
    } finally {
      await vault.close();
    }
  } finally {
    lock.release();
  }
}
