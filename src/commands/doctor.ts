import type { Ui } from '../engine/types.ts';
import { usageError } from '../engine/types.ts';
import type { Prerequisite, Wanted } from '../prerequisites/index.ts';
import {
  describe,
  ensurePrerequisites,
  fixCommands,
  prerequisites,
  thisMachine,
  unmet,
} from '../prerequisites/index.ts';
import { checkFlags } from './answers/answers.ts';
import type { Context, Options } from './context.ts';
import type { AccountReport } from './doctor/doctorAccount.ts';

type DoctorOptions = Pick<Options, 'fix' | 'json' | 'yes' | 'hosts' | 'provision' | 'skipPreflight'>;

/** `cloudspace doctor`: see {@link doctor}. */
export async function run(context: Context): Promise<number> {
  checkFlags(context.options);
  // What is looked at beyond this machine is loaded when it is needed: the AWS clients above all.
  return doctor(context.options, context.ui, context.print, {
    secrets: async () => (await import('./doctor/doctorSecrets.ts')).secretPrerequisites(context),
    account: async (ui) => (await import('./doctor/doctorAccount.ts')).lookAtAccount({ ...context, ui }),
  });
}

/**
 * Looks for what the walkthrough needs of this machine, and with `fix` installs what is missing after a yes. With `json` one JSON document is
 * printed: `{ok, prerequisites: [{id, title, status, advisory, found?, need, why, fix?, advice?}], commands, account}`.
 * @param more further things to look at: the secrets that the configuration refers to, and the AWS account
 * @returns exit code: 0, or 1 when something needed is missing, or AWS would refuse what is to come
 * @throws what {@link ensurePrerequisites} throws, when `fix` could not put it right
 */
export async function doctor(
  options: DoctorOptions,
  ui: Ui,
  print: (text: string) => void,
  more: {
    readonly secrets: () => Promise<Prerequisite[]>;
    readonly account: (ui: Ui) => Promise<AccountReport>;
  },
): Promise<number> {
  const wanted = wantedOf(options);
  const { detectEngine, startDockerd } = await import('../practice/hosts/engine.ts');
  const { yes = false, json = false } = options;
  // Stdout belongs to the one document.
  const people = json ? (await import('../ui/plain.ts')).plainUi({ output: process.stderr, yes }) : ui;
  let found: Prerequisite[];
  if (options.fix) {
    const interactive = !yes && process.stdin.isTTY === true;
    const engines = { detectEngine: () => detectEngine(), startDockerd: () => startDockerd() };
    found = await ensurePrerequisites({ ...wanted, ...engines, interactive }, people);
  } else found = await prerequisites(wanted, await thisMachine(() => detectEngine()));
  found = [...found, ...(await more.secrets())];

  const bad = unmet(found);
  const commands = bad.length === 0 ? [] : fixCommands(bad, await thisMachine(() => detectEngine()));
  if (!json) ui.notify({ type: 'info', text: `${report(found)}\n\n${verdict(bad, commands)}` });
  const looked = options.skipPreflight ? undefined : await more.account(people);
  const ok = bad.length === 0 && !looked?.findings?.some(({ status }) => status === 'blocking');
  if (json) {
    people.close();
    print(`${JSON.stringify({ ok, prerequisites: found, commands, account: looked ?? null }, null, 2)}\n`);
  } else if (looked) ui.notify({ type: 'info', text: (await import('./doctor/doctorAccount.ts')).accountText(looked) });
  return ok ? 0 : 1;
}

function wantedOf({ hosts = 'containers', provision = 'ansible' }: DoctorOptions): Wanted {
  if (hosts !== 'containers' && hosts !== 'none')
    throw usageError(`--hosts ${hosts} is neither "containers" nor "none"`);
  if (provision !== 'ansible' && provision !== 'skip')
    throw usageError(`--provision ${provision} is neither "ansible" nor "skip"`);
  return { hosts, provision };
}

/** The checks as a table, and below it what is to be said about those that are not good. */
function report(found: readonly Prerequisite[]): string {
  const rows = found.map(({ title, status, advisory, found: have, need }) => {
    const said = status === 'ok' || status === 'old' ? (have ?? '') : '';
    return `| ${status === 'ok' || !advisory ? status : `(${status})`} | ${title} | ${said} | ${need} |`;
  });
  const notes = found.filter(({ status }) => status !== 'ok').map(describe);
  return [
    '| Status | What | Found | Needed |',
    '|---|---|---|---|',
    ...rows,
    ...(notes.length > 0 ? ['', ...notes] : []),
  ].join('\n');
}

function verdict(bad: readonly Prerequisite[], commands: readonly (readonly string[])[]): string {
  if (bad.length === 0) return 'Everything that is needed is there.';
  if (commands.length === 0) return 'No command can put this right: see above.';
  const list = commands.map((words) => words.join(' ')).join('\n');
  return `\`cloudspace doctor --fix\` asks, then runs:\n\n\`\`\`\n${list}\n\`\`\``;
}
