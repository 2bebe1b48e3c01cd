import { join } from 'node:path';
import { CloudspaceError, hasCode, type Ui } from '../../engine/types.ts';
import { close, type Exposure, exposure } from '../../system/private.ts';

/** What in a Cloudspace's folder tells where it is and how to get in. */
const PRIVATE = ['', 'state.json', 'state.json.bak', 'vault.yml', 'vault-password', 'id_ed25519', 'hosts.json'];

/**
 * Refuses a state folder that others can read or change, before anything of it is read; offers to close it. Throws CloudspaceError `NotPrivate` (exit 2)
 * that names the files and the command.
 */
export async function keepPrivate(dir: string, ui: Pick<Ui, 'ask' | 'notify'>): Promise<void> {
  const found: Exposure[] = [];
  for (const name of PRIVATE) {
    const one = await exposure(join(dir, name));
    if (one) found.push(one);
    // What a link or a stranger's folder holds is none of ours to look at.
    if (name === '' && one && one.kind !== 'mode') break;
  }
  const [first] = found;
  if (!first) return;
  const hard = found.find(({ kind }) => kind !== 'mode');
  if (hard)
    throw refusal(
      hard,
      hard.kind === 'link'
        ? 'put the file itself there; for a state folder elsewhere use --state-dir'
        : 'work as the user whose Cloudspace it is, or take it over: chown -R',
    );
  const files = found.map(({ path }) => path);
  const commands = found.map(({ path, wanted }) => `chmod ${wanted.toString(8)} '${path.replaceAll("'", `'\\''`)}'`);
  ui.notify({
    type: 'warning',
    text: `Others on this machine can read or change what is to be yours alone:\n\n${found.map(({ path, text }) => `- \`${path}\` ${text}`).join('\n')}`,
  });
  const hint = `close ${files.length === 1 ? 'it' : 'them'}: ${commands.join('; ')}`;
  const mend = await ui
    .ask({
      kind: 'confirm',
      id: 'state.private',
      flag: '--yes',
      message: `Close ${files.length === 1 ? 'it' : 'them'} to all but you?`,
      help: 'If others have used this machine meanwhile, take the secrets for known: make new ones.',
      default: true,
    })
    .catch((error: unknown) => {
      throw hasCode(error, 'NoTerminal') ? refusal(first, hint) : error;
    });
  if (!mend) throw refusal(first, hint);
  for (const one of found)
    if (!(await close(one))) throw refusal(one, 'its file system keeps no modes: use another with --state-dir');
}

function refusal({ path, text }: Exposure, hint: string): CloudspaceError {
  return new CloudspaceError(`${path} ${text}: it is not used like that`, { code: 'NotPrivate', exitCode: 2, hint });
}
