// What the ingress adds to a request: 50 kept-open connections from a runner, to the containers directly and through that runner's nginx,
// in turns within one run. Needs a practice Cloudspace whose chapters are done: node bench/ingress.mjs <state folder>/<name>
// The rate is fixed (10 requests a second on each connection), so that queues of a saturated machine are not measured.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { report } from './common.mjs';

const [dir] = process.argv.slice(2);
if (!dir) {
  console.error('usage: node bench/ingress.mjs <state folder>/<name>, a practice Cloudspace whose chapters are done');
  process.exit(2);
}
const DOMAIN = 'bench.localhost';
const LIMIT_MS = 1;

/** A container that answers as fast as Python can: what it takes itself is in both numbers. */
const SERVER = `
import asyncio
class Answer(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.head = transport, b""
    def data_received(self, data):
        self.head += data
        while b"\\r\\n\\r\\n" in self.head:
            self.head = self.head.partition(b"\\r\\n\\r\\n")[2]
            self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
async def main(): await (await asyncio.get_running_loop().create_server(Answer, "0.0.0.0", 8000, backlog=512)).serve_forever()
asyncio.run(main())
`;

const CLIENT = `
import asyncio, json, sys, time
DOMAIN, BACKENDS = sys.argv[1], sys.argv[2].split(",")
CONNECTIONS, PERIOD, SECONDS, ROUNDS = 50, 0.1, 4, 3
ASK = f"GET / HTTP/1.1\\r\\nHost: {DOMAIN}\\r\\n\\r\\n".encode()
async def visitor(number, address, took):
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    await asyncio.sleep(PERIOD * number / CONNECTIONS)
    ends = time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        started = time.perf_counter()
        writer.write(ASK)
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(2)
        took.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(max(0, PERIOD - (time.perf_counter() - started)))
    writer.close()
async def main():
    direct, routed = [], []
    for _ in range(ROUNDS):
        await asyncio.gather(*(visitor(i, BACKENDS[i % len(BACKENDS)], direct) for i in range(CONNECTIONS)))
        await asyncio.gather(*(visitor(i, "127.0.0.1:80", routed) for i in range(CONNECTIONS)))
    print(json.dumps({"direct": direct, "routed": routed}))
asyncio.run(main())
`;

/** A command as root on a host; standard input as given. */
function on(host, command, input = '') {
  return execFileSync('ssh', ['-F', join(dir, 'ssh_config'), '-o', 'BatchMode=yes', host, `sudo sh -ec '${command}'`], {
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
}

const remove = 'docker service rm bench >/dev/null 2>&1 || true; docker config rm bench >/dev/null 2>&1 || true';
const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

on('controller', remove);
try {
  on('controller', 'docker config create bench -', SERVER);
  on(
    'controller',
    'docker service create --detach --quiet --name bench --replicas 2 --config source=bench,target=/bench.py --publish mode=host,target=8000 ' +
      `--label cloudspace.app=bench --label cloudspace.domain=${DOMAIN} --label cloudspace.port=8000 --label cloudspace.http=serve ` +
      'controller:5000/cloudspace/base:12 python3 /bench.py',
  );
  const ready = `for try in $(seq 60); do cloudspace-redis get route:${DOMAIN} | grep "," && exit; sleep 1; done; exit 1`;
  let backends = [];
  for (let tries = 0; backends.length < 2 && tries < 60; tries++) {
    backends = JSON.parse(on('controller', ready)).backends;
  }
  on('runner-1', 'sleep 2');
  const { direct, routed } = JSON.parse(on('runner-1', `python3 - ${DOMAIN} ${backends.join(',')}`, CLIENT));
  for (const list of [direct, routed]) list.sort((a, b) => a - b);
  const row = (name, list) => [
    name,
    `${quantile(list, 0.5).toFixed(2)} ms`,
    `90%: ${quantile(list, 0.9).toFixed(2)} ms, 99%: ${quantile(list, 0.99).toFixed(2)} ms, ${list.length} requests`,
  ];
  const added = quantile(routed, 0.5) - quantile(direct, 0.5);
  report('ingress, 50 connections, 500 requests a second, medians', [
    row('direct to the containers', direct),
    row('through the ingress', routed),
    ['added', `${added.toFixed(2)} ms`, `(limit ${LIMIT_MS} ms)`],
  ]);
  process.exitCode = added <= LIMIT_MS ? 0 : 1;
} finally {
  on('controller', remove);
}
