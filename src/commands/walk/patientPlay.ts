import { setTimeout as sleep } from 'node:timers/promises';
import { closeConnections, whyUnreachable } from '../../ansible/connections.ts';
import { keyChange, keyChangeError } from '../../ansible/hostKeys.ts';
import { type PlaybookOptions, type PlaybookResult, runPlaybook } from '../../ansible/run.ts';
import type { Host } from '../../ansible/types.ts';
import { limiter } from '../../system/limit.ts';

/** A host that goes away this often in one play has another trouble than a reboot. */
const RETURNS = 2;

export interface PatientOptions extends PlaybookOptions {
  readonly sshConfig: string;
  /** all hosts: the way to one of them may be what is broken */
  readonly hosts: readonly Host[];
  /** scales every wait */
  readonly pace: number;
  /** seconds that a host which went away is waited for, before scaling (default 300: longer than an EC2 instance takes to reboot) */
  readonly patience?: number;
}

/**
 * Runs a play and stays with it when hosts go away in the middle (a reboot): waits until they answer again and runs it on them alone, for the rest.
 * Throws what runPlaybook throws, and `HostKeyChanged` as soon as a host shows another key than the pinned one.
 */
export async function patientPlay(options: PatientOptions): Promise<PlaybookResult> {
  let result = await guarded(options);
  for (let round = 0; round < RETURNS && !result.ok; round++) {
    const lost = lostHosts(result);
    if (lost.length === 0 || !(await allReturn(options, lost))) break;
    result = await guarded({ ...options, limit: lost });
  }
  return result;
}

/** The hosts of a failed run, if all of them did answer at first and then did not. */
function lostHosts({ failedHosts, recap, keyChange }: PlaybookResult): readonly string[] {
  const lost = failedHosts.filter((host) => (recap[host]?.unreachable ?? 0) > 0 && (recap[host]?.ok ?? 0) > 0);
  return keyChange === undefined && lost.length === failedHosts.length ? lost : [];
}

/**
 * One run, with an eye on the host keys: Ansible takes a refused key for a host that is still booting, and would wait for minutes. One look a host,
 * while the play is at work already.
 */
async function guarded(options: PatientOptions): Promise<PlaybookResult> {
  const { hosts, limit = [], sshConfig, signal } = options;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const oneOfFew = limiter(5);
  const looks = limit.map((host) =>
    oneOfFew(async () => {
      if (both.aborted) return;
      const change = keyChange((await whyUnreachable(sshConfig, host, both).catch(() => undefined)) ?? '');
      if (change && !both.aborted) stop.abort(keyChangeError(change, hosts));
    }),
  );
  try {
    const result = await runPlaybook({ ...options, signal: both });
    if (result.keyChange) throw keyChangeError(result.keyChange, hosts);
    return result;
  } catch (error) {
    if (signal.aborted) await closeConnections(sshConfig, hosts);
    throw stop.signal.aborted && !signal.aborted ? stop.signal.reason : error;
  } finally {
    if (!stop.signal.aborted) stop.abort();
    await Promise.all(looks);
  }
}

async function allReturn(options: PatientOptions, lost: readonly string[]): Promise<boolean> {
  const { key: play, onEvent, sshConfig, signal, pace, patience = 300 } = options;
  const waits = Math.max(pace, 0.2);
  const key = `return-${play}`;
  const text = `${lost.join(', ')} went away in the middle: waiting until ${lost.length === 1 ? 'it answers' : 'they answer'} again`;
  onEvent({ type: 'progress', key, text, status: 'started' });
  const until = Date.now() + patience * 1000 * waits;
  const answers = async (host: string): Promise<boolean> => {
    for (;;) {
      const why = await whyUnreachable(sshConfig, host, signal);
      signal.throwIfAborted();
      // Another key: the next run says so.
      if (why === undefined || keyChange(why)) return true;
      if (Date.now() > until) return false;
      await sleep(3000 * waits, undefined, { signal });
    }
  };
  const back = (await Promise.all(lost.map(answers))).every(Boolean);
  onEvent({ type: 'progress', key, text, status: back ? 'done' : 'failed' });
  return back;
}
