import { join } from 'node:path';
import { type Ui, usageError } from '../engine/types.ts';
import { quotasWith } from '../practice/aws/quotas.ts';
import type { Practice, PracticeOptions } from '../practice/types.ts';
import type { Options } from './index.ts';
import { practiceDir } from './places.ts';

/** Sixty times AWS's pace: a database takes seconds, and its waiting can still be seen. */
export const DEFAULT_SPEED = 60;

export interface PracticeSettings {
  readonly speed: number;
  readonly hosts: 'containers' | 'none';
  /** milliseconds */
  readonly latency: number;
  /** `name=value`, checked */
  readonly quotas: readonly string[];
}

/** Reads --speed, --hosts, --latency and --quota. Throws usage errors. */
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
  checked(() => quotasWith(quotas));
  return { speed, hosts, latency, quotas };
}

/** What the practice cloud refuses as out of range is bad input. */
function checked(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (error instanceof RangeError) throw usageError(error.message);
    throw error;
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
  const { startPractice } = await import('../practice/index.ts');
  const folder = practiceDir(dir);
  const hosts =
    settings.hosts === 'containers' && !more.look
      ? await (await import('../practice/hosts/index.ts')).containerHosts({
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
