import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { writeAtomically } from '../../system/files.ts';

/** Below Linux's and macOS's ranges for outgoing connections, so that a stopped host finds its ports free again. */
const [FIRST, LAST] = [20_000, 32_000];

/** host id → published port → port on this machine's loopback */
type Book = Record<string, Record<string, number>>;

/** The loopback ports of a practice's hosts, kept in `<dir>/ports.json`: they stay the same as long as the host is there. */
export interface Ports {
  of(id: string): Readonly<Record<string, number>>;
  /** Gives the host a free port for each of `ports` that has none yet, and writes that down before it returns. */
  allocate(id: string, ports: readonly number[]): Promise<Readonly<Record<string, number>>>;
  /** Takes over what a container publishes: it cannot be changed, so it is the truth. */
  adopt(id: string, published: Readonly<Record<string, number>>): Promise<void>;
  /** Forgets the ports of a host that is gone, or that turned out to be taken. */
  forget(ids: readonly string[]): Promise<void>;
  readonly ids: readonly string[];
}

/** Reads the book; a damaged one starts empty, as running containers say themselves what they publish. */
export async function openPorts(dir: string): Promise<Ports> {
  const file = join(dir, 'ports.json');
  const book = parse(await readFile(file, 'utf8').catch(() => '{}'));
  let writing: Promise<void> = Promise.resolve();
  const save = (): Promise<void> => {
    const write = () => writeAtomically(file, `${JSON.stringify(book, null, 2)}\n`);
    writing = writing.then(write, write);
    return writing;
  };
  return {
    of: (id) => book[id] ?? {},
    async allocate(id, ports) {
      book[id] ??= {};
      const mine = book[id];
      for (const port of ports) {
        if (mine[port] !== undefined) continue;
        const taken = () => new Set(Object.values(book).flatMap((entry) => Object.values(entry)));
        let candidate = await freePort(taken());
        // Another host may have taken the same one while this one was tried.
        while (taken().has(candidate)) candidate = await freePort(taken());
        mine[port] = candidate;
      }
      await save();
      return Object.fromEntries(ports.map((port) => [port, mine[port] ?? 0]));
    },
    async adopt(id, published) {
      const mine = book[id] ?? {};
      if (Object.entries(published).every(([port, local]) => mine[port] === local)) return;
      book[id] = { ...mine, ...published };
      await save();
    },
    async forget(ids) {
      const known = ids.filter((id) => id in book);
      for (const id of known) delete book[id];
      if (known.length > 0) await save();
    },
    get ids() {
      return Object.keys(book);
    },
  };
}

function parse(text: string): Book {
  try {
    const book: unknown = JSON.parse(text);
    return typeof book === 'object' && book !== null ? (book as Book) : {};
  } catch {
    return {};
  }
}

async function freePort(taken: ReadonlySet<number>): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(FIRST, LAST);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${LAST} on 127.0.0.1`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
