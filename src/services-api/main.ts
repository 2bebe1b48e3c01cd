import { readConfig } from './config.ts';
import { startService } from './service.ts';

// One bundled file for the services host: node services-api.mjs /etc/cloudspace/services-api.json

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());

try {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: services-api.mjs CONFIG.json');
  const service = await startService(readConfig(file), log, stop.signal);
  process.on('SIGHUP', () => service.reload());
  await new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve();
    else stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await service.close();
} catch (error) {
  if (!stop.signal.aborted) {
    log((error as Error).message);
    process.exitCode = 1;
  }
}
