import type { Event } from '../engine/types.ts';

/** What the callback plugin writes, one JSON object a line (deployment/callback_plugins/cloudspace_events.py). */
export type PluginEvent =
  | { readonly event: 'start'; readonly of: number }
  | { readonly event: 'play'; readonly name: string }
  | {
      readonly event: 'task';
      readonly host: string;
      readonly task: string;
      readonly status: 'started' | 'ok' | 'changed' | 'skipped' | 'failed' | 'unreachable';
      /** a handler: it was not in the number of expected results */
      readonly extra?: boolean;
      readonly message?: string;
    }
  | { readonly event: 'stats'; readonly hosts: Readonly<Record<string, HostRecap>> };

/** One host's line of Ansible's PLAY RECAP: numbers of tasks. */
export interface HostRecap {
  readonly ok: number;
  readonly changed: number;
  readonly unreachable: number;
  readonly failures: number;
  readonly skipped: number;
  readonly rescued: number;
  readonly ignored: number;
}

export interface TaskFailure {
  readonly host: string;
  readonly task: string;
  readonly message: string;
}

export interface Progress {
  readonly failures: readonly TaskFailure[];
  /** undefined: the run ended before Ansible printed its recap */
  readonly recap: Readonly<Record<string, HostRecap>> | undefined;
}

/** Follows one run: takes the plugin's lines, gives task events with "done of" counted, and collects failures and the recap. */
export function followPlay(
  play: string,
  onEvent: (event: Event) => void,
): { line(text: string): void; progress(): Progress } {
  const failures: TaskFailure[] = [];
  let recap: Record<string, HostRecap> | undefined;
  let done = 0;
  let expected = 0;

  function task(event: Extract<PluginEvent, { event: 'task' }>): void {
    const { host, task: name, status, message } = event;
    if (status !== 'started') done += 1;
    if (event.extra) expected += 1;
    if (status === 'failed' || status === 'unreachable')
      failures.push({ host, task: name, message: message ?? 'no message' });
    onEvent({
      type: 'task',
      play,
      host,
      task: name,
      status,
      done,
      of: Math.max(expected, done),
      ...(message === undefined ? {} : { message }),
    });
  }

  return {
    line(text) {
      const event = parse(text);
      if (!event) return;
      if (event.event === 'start') expected = event.of;
      else if (event.event === 'task') task(event);
      else if (event.event === 'stats') recap = event.hosts;
    },
    // A failure that a rescue block mended is none.
    progress: () => ({ failures: failures.filter(({ host }) => !recap || isBad(recap[host])), recap }),
  };
}

/** undefined for a line that a killed process did not finish. */
function parse(text: string): PluginEvent | undefined {
  try {
    return JSON.parse(text) as PluginEvent;
  } catch {
    return undefined;
  }
}

export function isBad(recap: HostRecap | undefined): boolean {
  return recap === undefined || recap.failures > 0 || recap.unreachable > 0;
}
