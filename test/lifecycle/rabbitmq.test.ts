import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRun } from '../../src/engine/apply.ts';
import { destroy } from '../../src/engine/destroy.ts';
import { findDoomed } from '../../src/engine/doomed.ts';
import { newState, openJournal } from '../../src/engine/journal.ts';
import { makePlan } from '../../src/engine/plan.ts';
import type { Action } from '../../src/engine/types.ts';
import { rabbitmq } from '../../src/rabbitmq/client.ts';
import { lookAtRabbitmq, refuseTakenNames } from '../../src/rabbitmq/settings.ts';
import type { Config } from '../../src/steps/config.ts';
import { queues } from '../../src/steps/rabbitmq.ts';
import { ended, freePorts, RABBIT, startRabbit, until } from '../support/backends.ts';
import { folder } from '../support/cli.ts';

const why = !existsSync(RABBIT)
  ? "Debian's package rabbitmq-server is not installed"
  : process.getuid?.() !== 0
    ? 'starting RabbitMQ needs root'
    : undefined;
const NAME = 'hackathon-07';
const ACCOUNT = '123456789012';
const ADMIN = 'Administrator-Password';

/** Debian's RabbitMQ on loopback, with a home, a name and ports of its own. */
describe.skipIf(why !== undefined)(
  `an existing RabbitMQ server${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    let child: ChildProcess;
    let dir: string;
    let url: string;
    let epmd: number;
    const as = (administrator: string, password: string, more: { readOnly?: boolean } = {}) =>
      rabbitmq({ managementUrl: url, administrator, password, ...more });

    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'cloudspace-rabbit-'));
      const [amqp, management, dist, mapper] = (await freePorts(4)) as [number, number, number, number];
      epmd = mapper;
      url = `http://127.0.0.1:${management}`;
      child = startRabbit(dir, { amqp, management, dist, epmd }, ['admin', ADMIN]);
      await until(async () => {
        await as('admin', ADMIN).call('GET', ['overview']);
      }, 110);
    }, 120_000);

    afterAll(async () => {
      await ended(child, 'SIGTERM');
      spawnSync('epmd', ['-port', String(epmd), '-kill'], { stdio: 'ignore' });
      rmSync(dir, { recursive: true, force: true });
    }, 60_000);

    const signal = new AbortController().signal;

    async function world(account = ACCOUNT) {
      const server = as('admin', ADMIN);
      const config = await lookAtRabbitmq(server, url);
      const described = (['controller', 'services'] as const).flatMap((user) =>
        queues({ name: NAME, rabbitmq: config, cidr: '10.7.0.0/16' } as Config, user),
      );
      // There is no AWS here: the note on the VPC stays out, and who waits for it (lostState.test.ts has both).
      const actions = described.flatMap((action): Action[] => {
        if (!('resource' in action)) return [action];
        const { resource } = action;
        return resource.key.startsWith('note-') ? [] : [{ resource: { ...resource, after: [] } }];
      });
      const resources = actions.flatMap((action) => ('resource' in action ? [action.resource] : []));
      const passwords = new Map<string, string>();
      const cloud = {
        rabbitmq: async () => ({ server, account }),
        secret: async (name: string) => {
          if (!passwords.has(name)) passwords.set(name, `generated-${name}`);
          return passwords.get(name) as string;
        },
      };
      const journal = openJournal(folder(), newState({ name: NAME, account, region: 'eu-central-1', practice: false }));
      return {
        config,
        cloud,
        resources,
        journal,
        async apply() {
          const run = await startRun({
            cloud,
            name: NAME,
            resources,
            chapterOf: () => 'services',
            journal,
            notify: () => {},
            signal,
            pace: 0,
            secrets: async (names) => {
              for (const name of names) await cloud.secret(name);
            },
          });
          // What somebody changed by hand is mended when the person says so.
          await run.repair(run.drift.map(({ key }) => key));
          await run.do(actions);
          await run.settled();
        },
        plan: async () =>
          (
            await makePlan({ cloud, name: NAME, region: 'eu-central-1', resources, chapterOf: () => 'services' })
          ).resources.map(({ action }) => action),
        async destroy() {
          const doomed = await findDoomed(cloud, resources, NAME);
          return destroy({ cloud, name: NAME, resources, doomed, journal, notify: () => {}, signal, pace: 0 });
        },
      };
    }

    const vhosts = async () =>
      ((await as('admin', ADMIN).call<{ name: string }[]>('GET', ['vhosts'])) ?? []).map(({ name }) => name).sort();
    const users = async () =>
      ((await as('admin', ADMIN).call<{ name: string }[]>('GET', ['users'])) ?? []).map(({ name }) => name).sort();

    it('gets virtual hosts, users and rights; users see their own virtual host only; destroy leaves what was there before', async () => {
      const { apply, plan, destroy: takeDown, journal } = await world();
      expect(await plan()).toEqual(Array(6).fill('create'));
      await apply();
      expect(await vhosts()).toEqual(['/', NAME, `${NAME}-services`]);
      expect(await users()).toEqual(['admin', NAME, `${NAME}-services`]);
      expect(await plan()).toEqual(Array(6).fill('keep'));
      expect(JSON.stringify(journal.state)).not.toContain('generated-');

      const user = await as('admin', ADMIN).call<{ tags: string[] }>('GET', ['users', NAME]);
      expect(user?.tags).not.toContain('administrator');
      const rights = await as('admin', ADMIN).call<{ vhost: string }[]>('GET', ['users', NAME, 'permissions']);
      expect(rights?.map(({ vhost }) => vhost)).toEqual([NAME]);
      // The password of the vault is the user's: the server says 401 "not management user" for it, and another text for a wrong one.
      const authenticated = async (password: string) => {
        const header = `Basic ${Buffer.from(`${NAME}:${password}`).toString('base64')}`;
        return (await fetch(`${url}/api/whoami`, { headers: { authorization: header } })).text();
      };
      expect(await authenticated('generated-rabbitmq_controller_password')).toContain('Not management user');
      expect(await authenticated('wrong')).not.toContain('Not management user');

      expect(await takeDown()).toEqual([]);
      expect([await vhosts(), await users()]).toEqual([['/'], ['admin']]);
    });

    it('mends rights that somebody changed, and makes again what somebody deleted', async () => {
      const { apply, plan, destroy: takeDown } = await world();
      await apply();
      const admin = as('admin', ADMIN);
      await admin.call('PUT', ['permissions', NAME, NAME], { configure: '', write: '.*', read: '.*' });
      await admin.call('DELETE', ['users', `${NAME}-services`]);
      expect(await plan()).toEqual(['keep', 'keep', 'change', 'keep', 'create', 'create']);
      await apply();
      expect(await plan()).toEqual(Array(6).fill('keep'));
      await takeDown();
    });

    it('leaves alone what others made, also the same Cloudspace of another account', async () => {
      const admin = as('admin', ADMIN);
      await admin.call('PUT', ['vhosts', `${NAME}-services`], {});
      const mine = await world();
      await expect(refuseTakenNames(admin, { name: NAME, account: ACCOUNT })).rejects.toMatchObject({
        code: 'RabbitmqTaken',
        exitCode: 2,
        message: `the RabbitMQ server has a virtual host "${NAME}-services" that this Cloudspace did not make`,
      });
      await expect(mine.apply()).rejects.toMatchObject({ code: 'RabbitmqTaken' });
      expect(await mine.destroy()).toEqual([]);
      expect(await vhosts()).toEqual(['/', `${NAME}-services`]);
      await admin.call('DELETE', ['vhosts', `${NAME}-services`]);

      await mine.apply();
      const other = await world('999999999999');
      await expect(refuseTakenNames(admin, { name: NAME, account: '999999999999' })).rejects.toMatchObject({
        code: 'RabbitmqTaken',
      });
      expect(await findDoomed(other.cloud, other.resources, NAME)).toEqual([]);
      await mine.destroy();
    });

    it('is looked at before anything is made: address, password, rights', async () => {
      expect(await lookAtRabbitmq(as('admin', ADMIN), url)).toMatchObject({ host: '127.0.0.1', tls: false });
      await expect(lookAtRabbitmq(as('admin', 'wrong'), url)).rejects.toMatchObject({
        code: 'RabbitmqPassword',
        exitCode: 2,
        message: `RabbitMQ at ${url} does not let "admin" in with this password`,
      });
      const admin = as('admin', ADMIN);
      await admin.call('PUT', ['users', 'reader'], { password: 'reader', tags: 'monitoring' });
      await expect(lookAtRabbitmq(as('reader', 'reader'), url)).rejects.toMatchObject({ code: 'RabbitmqRights' });
      await admin.call('DELETE', ['users', 'reader']);
      const [nobody] = (await freePorts(1)) as [number];
      const away = rabbitmq({ managementUrl: `http://127.0.0.1:${nobody}`, administrator: 'admin', password: ADMIN });
      await expect(lookAtRabbitmq(away, 'x')).rejects.toMatchObject({
        code: 'RabbitmqUnreachable',
        exitCode: 2,
        message: `cannot reach RabbitMQ at http://127.0.0.1:${nobody}: ECONNREFUSED`,
      });
      await expect(as('admin', ADMIN, { readOnly: true }).call('PUT', ['vhosts', 'x'], {})).rejects.toMatchObject({
        code: 'ReadOnly',
      });
    });
  },
);
