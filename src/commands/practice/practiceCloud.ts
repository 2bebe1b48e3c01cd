import { join } from 'node:path';
import { type Ui, usageError } from '../../engine/types.ts';
import { quotasWith } from '../../practice/aws/quotas.ts';
import type { Practice, PracticeOptions } from '../../practice/types.ts';
import type { Options } from '../context.ts';
import { practiceDir } from '../session/places.ts';

/** Sixty times AWS's pace: a database takes seconds, and its waiting can still be seen. */
const DEFAULT_SPEED = 60;

export interface PracticeSettings {
  readonly speed: number;
  readonly hosts: 'containers' | 'none';
  /** milliseconds */
  readonly latency: number;
  /** `name=value`, checked */
  readonly quotas: readonly string[];
  /** rules, checked when the practice cloud starts */
  readonly faults: readonly string[];
  /** seconds that temporary credentials live at most; undefined: as on AWS */
  readonly sessionLife?: number;
}

/** Reads --speed, --hosts, --latency, --quota and --session-life. Throws usage errors. */
export function practiceSettings(options: Options): PracticeSettings {
  const speed = Number(options.speed ?? DEFAULT_SPEED);
  if (!(speed > 0))
    throw usageError(
      `the speed "${options.speed}" is not a number above 0`,
      "1 is AWS's own, 60 sixty times that, Infinity waits for nothing",
    );
  const latency = Number(options.latency ?? 0);
  if (!(latency >= 0 && latency <= 60_000))
    throw usageError(`the latency "${options.latency}" is not between 0 and 60000 milliseconds`);
  const hosts = options.hosts ?? 'containers';
  if (hosts !== 'containers' && hosts !== 'none')
    throw usageError(`"${hosts}" are no practice hosts`, 'use --hosts containers or --hosts none');
  const quotas = options.quota ?? [];
  asUsageError(() => quotasWith(quotas));
  const life = options.sessionLife === undefined ? undefined : Number(options.sessionLife);
  if (life !== undefined && !(Number.isInteger(life) && life >= 1))
    throw usageError(
      `"${options.sessionLife}" is not a whole number of seconds from 1`,
      'for example --session-life 60',
    );
  return {
    speed,
    hosts,
    latency,
    quotas,
    faults: options.fault ?? [],
    ...(life === undefined ? {} : { sessionLife: life }),
  };
}

/** What the practice cloud refuses with a RangeError is bad input. */
export function asUsageError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof RangeError ? usageError(error.message) : error;
  }
}

export interface PracticeCloud extends Practice {
  /** resolves when the containers are as the world says */
  settled(): Promise<void>;
}

/**
 * Starts the practice cloud of a Cloudspace in this process. Its world and its containers outlive the process; `close` leaves them as they are.
 * With `look` no container is touched: for a dry run.
 */
export async function openPracticeCloud(
  dir: string,
  name: string,
  settings: PracticeSettings,
  ui: Ui,
  more: { look?: boolean; region?: string; port?: number; log?: PracticeOptions['log'] } = {},
): Promise<PracticeCloud> {
  const { startPractice } = await import('../../practice/index.ts');
  if (settings.faults.length > 0) {
    const [{ parseRule }, { operationNames }] = await Promise.all([
      import('../../practice/aws/faultRule.ts'),
      import('../../practice/aws/faults.ts'),
    ]);
    const names = operationNames();
    for (const rule of settings.faults) asUsageError(() => parseRule(rule, names));
  }
  const folder = practiceDir(dir);
  const hosts =
    settings.hosts === 'containers' && !more.look
      ? await (await import('../../practice/hosts/index.ts')).containerHosts({
          dir: join(folder, 'hosts'),
          name,
          onProgress: (progress) => ui.notify({ type: 'progress', ...progress }),
        })
      : undefined;
  const practice = await startPractice({
    dir: folder,
    speed: settings.speed,
    latency: settings.latency,
    quotas: settings.quotas,
    faults: settings.faults,
    ...(settings.sessionLife === undefined ? {} : { sessionLife: settings.sessionLife }),
    ...(hosts ? { hosts } : {}),
    ...(more.region === undefined ? {} : { region: more.region }),
    ...(more.port === undefined ? {} : { port: more.port }),
    ...(more.log ? { log: more.log } : {}),
  });
  return {
    ...practice,
    settled: async () => hosts?.settled(),
    close: async () => {
      await practice.close();
      await hosts?.close();
    },
  };
}
