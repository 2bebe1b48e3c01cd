import { usageError } from '../engine/types.ts';

/** Seconds for `op` to answer: a person may have to find the fingerprint reader first. */
export const OP_SECONDS = 120;

const INSTALL = 'https://developer.1password.com/docs/cli/get-started';

/** Words of the command that prints one secret and no newline after it (developer.1password.com/docs/cli/reference/commands/read). */
export const opCommand = (uri: string): readonly [string, ...string[]] => ['op', 'read', '--no-newline', uri];

/** `op` is not installed. */
export function opMissing(name: string, uri: string) {
  return usageError(
    `${name} is kept in 1Password (${uri}), and its command line "op" is not installed`,
    `install it: ${INSTALL}; or keep the secret elsewhere: env:NAME, file:PATH, prompt`,
    'OpMissing',
  );
}

/**
 * What `op read` said on its error output as an error that names the item and the next step. `op` has one exit code for all of it, so its words decide.
 * @param name what the secret is for: `dns.token`
 */
export function opError(name: string, uri: string, stderr: string) {
  // "[ERROR] 2026/11/23 09:15:07 could not read secret 'op://…': reason"
  const words = stderr
    .trim()
    .replaceAll(/^\[ERROR\]\s*(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\s*)?/gm, '')
    .replace(`could not read secret '${uri}': `, '');
  const last = words.split('\n').filter(Boolean).at(-1) ?? 'op ended without a word';
  const [vault = '', item = '', ...field] = uri.slice('op://'.length).split('/');
  if (
    /not (currently )?signed in|no accounts? (configured|found)|session (has )?expired|authorization (prompt dismissed|timeout|denied)|RequestDelegatedSession|connecting to desktop app|401/i.test(
      words,
    )
  )
    return usageError(
      `${name}: 1Password is not signed in (${last})`,
      'unlock the 1Password app with its command line integration on, or run: eval $(op signin). Unattended: set OP_SERVICE_ACCOUNT_TOKEN. Then run the same command again',
      'OpNotSignedIn',
    );
  if (/isn't a vault/i.test(words))
    return usageError(
      `${name}: 1Password has no vault "${vault}" that you may see (${uri})`,
      'the vaults you may see: op vault list',
      'SecretNotFound',
    );
  if (/isn't an item/i.test(words))
    return usageError(
      `${name}: 1Password has no item "${item}" in the vault "${vault}" (${uri})`,
      `the items there: op item list --vault "${vault}"; an item in the archive does not count`,
      'SecretNotFound',
    );
  if (/does not have a field|no field/i.test(words))
    return usageError(
      `${name}: the item "${item}" of 1Password has no field "${field.join('/')}" (${uri})`,
      `its fields: op item get "${item}" --vault "${vault}"`,
      'SecretNotFound',
    );
  if (/more than one item/i.test(words))
    return usageError(
      `${name}: 1Password has more than one item "${item}" in the vault "${vault}"`,
      `name it by its id instead: op item list --vault "${vault}" shows it`,
      'SecretNotFound',
    );
  return usageError(
    `${name}: op cannot read ${uri}: ${last}`,
    `try it yourself: op read "${uri}" >/dev/null`,
    'SecretUnavailable',
  );
}
