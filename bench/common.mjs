import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

export function report(title, rows) {
  console.log(`\n${title}`);
  for (const [name, value, note] of rows) console.log(`  ${name.padEnd(28)}${value.padEnd(34)}${note}`);
}

/** The practice API as a process of its own, waits scaled to zero. */
export async function serve({ dir, latency, more = [] }) {
  const args = [
    cli,
    'practice',
    'serve',
    '--json',
    '--speed',
    'Infinity',
    '--latency',
    String(latency),
    '--state-dir',
    join(dir, 'server'),
    ...more,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const requests = [];
  const lines = createInterface({ input: child.stdout });
  const serving = await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`practice serve ended with ${code}`)));
    lines.on('line', (line) => {
      const event = JSON.parse(line);
      if (event.type === 'serving') resolve(event);
      if (event.type === 'request') requests.push(event);
    });
  });
  return { ...serving, requests, close: () => child.kill('SIGINT') };
}

/** One command against a server: wall time, peak memory, what the server saw. `node` are options of node itself. */
export async function run(server, words, node = []) {
  const before = server.requests.length;
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL: server.endpoint,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    AWS_REGION: server.region,
  };
  const started = performance.now();
  const child = spawn(process.execPath, [...node, cli, ...words, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.resume();
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-4000);
  });
  let peakKb = 0;
  // The high-water mark of resident memory, as the kernel counts it (proc(5)); Linux only.
  const watch = setInterval(() => {
    try {
      peakKb = Math.max(
        peakKb,
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0),
      );
    } catch {}
  }, 20);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`cloudspace ${words[0]} ended with ${code}:\n${said}`);
  const ms = performance.now() - started;
  const requests = server.requests.slice(before);
  return {
    ms,
    peakKb,
    requests: requests.length,
    mutations: requests.filter((request) => request.mutating).length,
    operations: requests.map((request) => request.operation),
  };
}

const NAME = 'bench-01';
const place = (dir) => ['--name', NAME, '--state-dir', join(dir, 'state')];

export const stateFile = (dir) => join(dir, 'state', NAME, 'state.json');

/** One unattended walk. */
export async function walk(server, dir, more = [], node = []) {
  const words = ['start', '--yes', '--provision', 'skip', '--ssh-from', '198.51.100.7/32', ...place(dir), ...more];
  return { ...(await run(server, words, node)), longestChain: LONGEST_CHAIN, sequentialCalls: 3 };
}

/** One unattended teardown. */
export async function teardown(server, dir) {
  return run(server, ['destroy', '--yes', ...place(dir)]);
}

/**
 * Longest chain of mutations in the guide: VPC, subnet (or gateway and its attachment), instance, address association or registration.
 * NAT: VPC, subnet, gateway, route.
 */
const LONGEST_CHAIN = 4;

export async function walkOnce({ dir, latency }) {
  const server = await serve({ dir, latency });
  try {
    return await walk(server, dir);
  } finally {
    server.close();
  }
}
