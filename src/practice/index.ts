import type { AddressInfo } from 'node:net';
import { ROOT_CREDENTIALS } from './aws/credentials.ts';
import { desiredHosts, hostBehind, hostsSync } from './aws/desired.ts';
import { openFaults } from './aws/faults.ts';
import type { Clock } from './aws/operation.ts';
import { quotasWith } from './aws/quotas.ts';
import { makeServer } from './aws/server.ts';
import { openWorld } from './aws/world.ts';
import type { Practice, PracticeOptions, RequestRecord } from './types.ts';

const KEPT_REQUESTS = 50_000;

/**
 * Starts the practice cloud: an HTTP server on 127.0.0.1 that speaks AWS's wire protocols over the world kept in `options.dir`.
 * Throws when the world's file is damaged or the port is taken, RangeError for a quota or a fault that is none.
 */
export async function startPractice(options: PracticeOptions): Promise<Practice> {
  const { dir, port = 0, speed = 1, latency = 0, hosts } = options;
  if (!(speed > 0)) throw new Error(`speed ${speed} is not above zero: 1 is AWS's speed, 60 sixty times that`);
  const clock: Clock = {
    now: Date.now,
    passed: (since, seconds) => Date.now() >= since + (seconds * 1000) / speed,
  };
  const store = openWorld(dir);
  const toHosts = hostsSync(hosts);
  const faults = openFaults(dir, options.faults ?? [], () => store.text);
  const sync = () => toHosts(() => desiredHosts(store.world, { clock, hosts }, faults.hostsDown()));
  const requests: RequestRecord[] = [];
  const server = makeServer({
    store,
    clock,
    hosts,
    quotas: quotasWith(options.quotas),
    faults,
    sessionLife: options.sessionLife ?? Number.POSITIVE_INFINITY,
    latency,
    changed: sync,
    log: (record) => {
      requests.push(record);
      // A server that is left running for days must not keep them all.
      if (requests.length > KEPT_REQUESTS) requests.shift();
      options.log?.(record);
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken =
        cause.code === 'EADDRINUSE'
          ? `port ${port} on 127.0.0.1 is taken by another program: choose another port, or 0 for any free one`
          : cause.message;
      reject(new Error(taken, { cause }));
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  // The hosts may have been away, or may have been killed half way.
  sync();
  // A host's network goes down when its rule is given, not with the next request.
  const watch = hosts && setInterval(() => faults.refresh() && sync(), 1000).unref();
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: ROOT_CREDENTIALS,
    requests,
    reach(address, at) {
      const id = hostBehind(store.world, { clock, hosts }, address);
      return id === undefined ? undefined : hosts?.reach(id, at);
    },
    close: async () => {
      clearInterval(watch);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
