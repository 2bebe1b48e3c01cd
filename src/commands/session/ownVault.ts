import { openVault, type Vault } from '../../ansible/vault.ts';
import { hide } from '../../secrets/redact.ts';
import type { Context } from '../context.ts';
import { OWN_VAULT, vaultPasswordFile } from '../settings/deploymentMapping.ts';
import { secretsOf } from '../systems/secrets.ts';

/** The Cloudspace's vault, and the end of what hands its password to Ansible. */
export type OwnVault = Vault & { close(): Promise<void> };

/**
 * Opens the vault in the folder of a Cloudspace. Its password is where `cloudspace.yaml` says (`vault: {password: …}`, or the older
 * `vault_password_command`), else in a file beside it. Every secret that it gives out is known to the redactor.
 */
export async function openOwnVault(context: Context, dir: string): Promise<OwnVault> {
  const { mapping = {}, settings = {} } = context.options;
  const vaultId = settings.vault?.id ?? OWN_VAULT;
  const ref = settings.vault?.password;
  const onSecret = (value: string): void => void hide(value);
  if (ref === undefined) {
    const passwordFile = await vaultPasswordFile(dir, mapping);
    return { ...openVault({ dir, vaultId, onSecret, ...(passwordFile ? { passwordFile } : {}) }), async close() {} };
  }
  const client = await import('../../secrets/passwordClient.ts');
  const password = () => secretsOf(context).read(ref, 'vault.password');
  const passwordFile = await client.writePasswordClient(dir, ref);
  const server = await client.servePassword(password);
  const vault = openVault({ dir, vaultId, passwordFile, password, onSecret, env: server.env });
  return { ...vault, close: () => server.close() };
}
