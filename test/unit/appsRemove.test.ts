import { expect, it } from 'vitest';
import type { AskServices } from '../../src/commands/applications/servicesApi.ts';
import { type Service, type Swarm, serviceSpec } from '../../src/commands/applications/swarm.ts';
import { describe, type RemovalParts, remove } from '../../src/commands/appsRemove.ts';
import type { Context } from '../../src/commands/context.ts';
import type { Question } from '../../src/engine/types.ts';

const service = (app: string, domains: readonly string[], environment: Record<string, string> = {}): Service => ({
  ID: `id-${app}`,
  Version: { Index: 1 },
  CreatedAt: '',
  UpdatedAt: '',
  Spec: serviceSpec({
    app,
    version: 'aaaaaaaaaaaa',
    image: `controller:5000/${app}:aaaaaaaaaaaa`,
    domains,
    port: 8080,
    http: 'serve',
    replicas: 2,
    healthcheck: undefined,
    environment,
  }),
});

/** A controller with two applications, and a services API, that note what is done to them; `answers` are the person's, by question. */
function parts(options: Context['options'], answers: Readonly<Record<string, boolean>> = {}, bindings = ['shop']) {
  const done: string[] = [];
  const asked: string[] = [];
  const apps = new Map([
    ['shop', service('shop', ['shop.example', 'www.shop.example'], { DATABASE_URL: 'postgresql://x' })],
    ['blog', service('blog', ['blog.example'])],
  ]);
  const context: Context = {
    args: ['shop'],
    options,
    signal: new AbortController().signal,
    print: () => {},
    ui: {
      notify: () => {},
      close: () => {},
      ask: async (question: Question) => {
        asked.push(question.message);
        return (answers[question.id] ?? question.default) as never;
      },
    },
  };
  const swarm = {
    services: async () => [...apps.values()],
    send: async (method: string, path: string) => {
      done.push(`${method} ${path}`);
      apps.delete(path.replace('/services/', ''));
    },
  } as unknown as Swarm;
  let looks = 0;
  const remote: RemovalParts['remote'] = {
    run: async (_host, command) => {
      const result = { exitCode: 0, stderr: '' };
      // The publisher is a moment behind.
      if (command.includes('cloudspace-redis'))
        return { ...result, stdout: looks++ < 2 ? '{"app":"shop"}\n\n' : '\n\n' };
      done.push(command.replace(/^.*\//, ''));
      return { ...result, stdout: 'shop.example: removed\nwww.shop.example: kept\n' };
    },
  };
  const ask: AskServices = async (method, path) => {
    if (method !== 'GET') done.push(`${method} ${path.replace('/v2/service_instances/', '')}`);
    if (path.includes('last_operation')) return { status: 200, body: { state: 'succeeded' } };
    if (path.includes('/backups'))
      return { status: 200, body: { operation: 'o', instance: 'shop-db', backup: 'b', id: 'b' } };
    return { status: 200, body: { instances: [{ id: 'shop-db', bindings }, { id: 'other-db' }] } };
  };
  return {
    done,
    asked,
    apps,
    all: { context, swarm, remote, services: async () => ask, pace: 1 } satisfies RemovalParts,
  };
}

it('removes service, routes and certificate, and leaves the database', async () => {
  const { all, done, asked } = parts({}, { 'apps.remove': true });
  const removed = await remove(all);
  expect(removed).toEqual({
    app: 'shop',
    domains: ['shop.example', 'www.shop.example'],
    certificates: { 'shop.example': 'removed', 'www.shop.example': 'kept' },
    database: { instance: 'shop-db', status: 'kept' },
  });
  expect(done).toEqual(['DELETE /services/shop', 'cloudspace-certificate --remove shop.example www.shop.example']);
  expect(asked.join()).toContain('Its database shop-db stays');
  expect(describe(removed)).toContain('cloudspace services delete shop-db');
});

it('takes the database too when that is said: first a backup, last the data', async () => {
  const { all, done } = parts({ services: true, yes: true });
  expect((await remove(all)).database).toEqual({ instance: 'shop-db', status: 'deleted', backup: 'b' });
  expect(done).toEqual([
    'POST shop-db/backups',
    'DELETE /services/shop',
    'cloudspace-certificate --remove shop.example www.shop.example',
    'DELETE shop-db/service_bindings/shop',
    'DELETE shop-db',
  ]);
});

it('goes without a backup only when the person says so', async () => {
  const { all, done } = parts({ services: true }, { 'apps.remove': true, 'apps.backup': false });
  expect((await remove(all)).database).toEqual({ instance: 'shop-db', status: 'deleted' });
  expect(done).not.toContain('POST shop-db/backups');
});

it('changes nothing when it is declined, unknown, or its database is used by others', async () => {
  const declined = parts({ services: true });
  await expect(remove(declined.all)).rejects.toMatchObject({ code: 'Declined', exitCode: 1 });
  const shared = parts({ services: true, yes: true }, {}, ['shop', 'reports']);
  await expect(remove(shared.all)).rejects.toMatchObject({ code: 'ServiceInUse', exitCode: 2 });
  const unknown = parts({ yes: true });
  const context = { ...unknown.all.context, args: ['missing'] };
  await expect(remove({ ...unknown.all, context })).rejects.toThrow('there is no application "missing"');
  for (const { done } of [declined, shared, unknown]) expect(done).toEqual([]);
});
