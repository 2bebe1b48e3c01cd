import { usageError } from '../engine/types.ts';
import { checkApp } from './applications/application.ts';
import { CONTROLLER, needApp, swarmOf } from './applications/swarm.ts';
import type { Context } from './context.ts';
import { lastLines, openRemote, remoteError } from './hosts/remote.ts';
import { locateExisting } from './session/places.ts';

/** Seconds; a follower ends with Ctrl-C. */
const A_DAY = 86_400;
/** Seconds for what there is already. */
const PATIENCE = 20;
/** exit code of timeout(1) */
const TIMED_OUT = 124;

/** `cloudspace logs APP`: what its containers print, with who printed it. With `--json` one object a line. */
export async function run(context: Context): Promise<number> {
  const { options, print, signal, ui } = context;
  const app = checkApp(context.args[0] ?? '');
  const tail = Number(options.tail ?? 100);
  if (!(Number.isInteger(tail) && tail >= 0))
    throw usageError(`"${options.tail}" is not a number of lines`, 'for example --tail 100');
  const remote = await openRemote(await locateExisting(context), signal);
  const swarm = swarmOf(remote);
  await needApp(swarm, app);
  const show = (line: string): void => {
    const entry = parseLine(line);
    if (entry) print(options.json ? `${JSON.stringify(entry)}\n` : `${entry.host} ${entry.container}  ${entry.line}\n`);
    else if (!options.json && line.trim() !== '') print(`${line}\n`);
  };
  // Docker waits, now and then for good, for a host that no longer has what it asks for.
  const patience = options.follow ? '' : `timeout --kill-after=2 ${PATIENCE} `;
  const follow = options.follow ? '--follow ' : '';
  const result = await remote.run(CONTROLLER, `${patience}sudo docker service logs ${follow}--tail ${tail} ${app}`, {
    timeout: options.follow ? A_DAY : PATIENCE + 30,
    onLine: show,
    discard: true,
    alone: options.follow === true,
  });
  if (result.exitCode === TIMED_OUT)
    ui.notify({
      type: 'warning',
      text: 'Not all containers could be asked for their output; this is what the others have.',
    });
  else if (result.exitCode !== 0)
    throw remoteError(CONTROLLER, `reading the logs of ${app}`, { ...result, stderr: lastLines(result.stderr, 5) });
  return 0;
}

/** A line as `docker service logs` prints it: "app.1.id@host    | text"; undefined for what is none. */
export function parseLine(line: string): { container: string; host: string; line: string } | undefined {
  const found = /^([a-z][a-z0-9-]*)\.(\d+)\.([a-z0-9]+)@(\S+)\s+\| ?(.*)$/.exec(line);
  if (!found) return undefined;
  const [, app = '', slot = '', , host = '', text = ''] = found;
  return { container: `${app}.${slot}`, host, line: text };
}
