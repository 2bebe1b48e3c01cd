import { join } from 'node:path';
import { acquireLock } from '../engine/lock.ts';
import { usageError } from '../engine/types.ts';
import { DEFAULTS } from '../steps/config.ts';
import type { Context } from './context.ts';
import { openPracticeCloud, practiceSettings } from './practice/practiceCloud.ts';
import { stateDir } from './session/places.ts';

/** `cloudspace practice serve`: the practice API until Ctrl-C. Hosts only when asked for: the API alone is what most want here. */
export async function run(context: Context): Promise<number> {
  const { options, ui, signal, print } = context;
  const settings = practiceSettings({ ...options, hosts: options.hosts ?? 'none' });
  const port = Number(options.port ?? 0);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw usageError(`"${options.port}" is not a port`, 'for example --port 4599');
  const region = options.region ?? DEFAULTS.region;
  const dir = join(stateDir(options), options.name ?? 'practice-serve');
  const lock = acquireLock(dir, 'practice serve');
  const practice = await openPracticeCloud(dir, options.name ?? 'practice-serve', settings, ui, {
    region,
    port,
    log: (record) => {
      // Standard output is for the settings alone, so that a shell can read them: eval "$(…)" or a file.
      const line = `${record.service} ${record.operation} ${record.status}${record.errorCode ? ` ${record.errorCode}` : ''}\n`;
      if (options.json) print(`${JSON.stringify({ type: 'request', ...record })}\n`);
      else process.stderr.write(line);
    },
  });
  try {
    const { accessKeyId, secretAccessKey } = practice.credentials;
    if (options.json)
      print(
        `${JSON.stringify({ type: 'serving', endpoint: practice.endpoint, region, accessKeyId, secretAccessKey, dir })}\n`,
      );
    else
      print(
        [
          `export AWS_ENDPOINT_URL=${practice.endpoint}`,
          `export AWS_ACCESS_KEY_ID=${accessKeyId}`,
          `export AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
          `export AWS_REGION=${region}`,
          // the aws CLI's first version reads this one only
          `export AWS_DEFAULT_REGION=${region}`,
          `# for example: aws --endpoint-url ${practice.endpoint} ec2 describe-vpcs`,
          `# Ctrl-C ends it; its world stays in ${dir}`,
          '',
        ].join('\n'),
      );
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    return 0;
  } finally {
    await practice.close();
    lock.release();
  }
}
