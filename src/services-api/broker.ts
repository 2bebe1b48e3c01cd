import { isDeepStrictEqual } from 'node:util';
import { checkParameters, findPlan, type ServiceName } from './catalog.ts';
import type { Credentials, Driver } from './drivers/types.ts';
import { ApiError } from './errors.ts';
import type { Fernet } from './fernet.ts';
import type { Locks } from './locks.ts';
import { backingName, checkId } from './names.ts';
import { type Binding, type Instance, many, type Operation, one, type Pool } from './store.ts';

export interface BrokerParts {
  readonly pool: Pool;
  readonly fernet: Fernet;
  readonly locks: Locks;
  /** gives the driver, or throws ApiError when this Cloudspace has none */
  readonly driver: (service: ServiceName) => Driver;
}

/** The outcome, and whether it was there before: 200 in place of 201. */
export interface Made<T> {
  readonly made: boolean;
  readonly value: T;
}

export interface ProvisionRequest {
  readonly service_id: string;
  readonly plan_id: string;
  readonly parameters?: unknown;
}

/**
 * Instances and bindings. The order is always the same: the row says `creating`, the driver works, the row says `ready`; and the other way round
 * with `deleting`. A process that dies in between leaves a row that says what was under way; the next request or start goes on with it.
 */
export interface Broker {
  provision(id: string, request: ProvisionRequest): Promise<Made<Instance>>;
  deprovision(id: string): Promise<void>;
  bind(instanceId: string, id: string): Promise<Made<Credentials>>;
  unbind(instanceId: string, id: string): Promise<void>;
  instance(id: string): Promise<Instance>;
  instances(): Promise<(Instance & { bindings: string[] })[]>;
  credentials(instanceId: string, id: string): Promise<Credentials>;
  /** Goes on with what is half done. Gives the number of what could not be finished. */
  settle(onError: (what: string, error: unknown) => void): Promise<number>;
}

export function createBroker({ pool, fernet, locks, driver }: BrokerParts): Broker {
  const instanceRow = (id: string) => one<Instance>(pool, 'SELECT * FROM instances WHERE id = $1', [id]);
  const bindingRow = (instanceId: string, id: string) =>
    one<Binding>(pool, 'SELECT * FROM bindings WHERE instance_id = $1 AND id = $2', [instanceId, id]);

  async function ready(id: string): Promise<Instance> {
    const found = await instanceRow(checkId('the instance id', id));
    if (!found) throw notFound(id);
    if (found.state !== 'ready')
      throw new ApiError(422, 'ConcurrencyError', `the instance ${id} is ${found.state}: ask again when it is ready`);
    return found;
  }

  async function refuseDuring(id: string, kinds: readonly Operation['kind'][]): Promise<void> {
    const running = await one<Operation>(
      pool,
      "SELECT * FROM operations WHERE instance_id = $1 AND state = 'in progress' AND kind = ANY ($2)",
      [id, kinds],
    );
    if (running)
      throw new ApiError(422, 'ConcurrencyError', `a ${running.kind} of ${id} is under way (operation ${running.id})`);
  }

  async function finishCreating(instance: Instance): Promise<Instance> {
    await driver(instance.service).create(instance);
    await pool.query("UPDATE instances SET state = 'ready' WHERE id = $1", [instance.id]);
    return { ...instance, state: 'ready' };
  }

  async function finishDeleting(instance: Instance): Promise<void> {
    const bindings = await many<Binding>(pool, 'SELECT * FROM bindings WHERE instance_id = $1', [instance.id]);
    for (const binding of bindings) await finishUnbinding(instance, binding);
    await driver(instance.service).delete(instance);
    await pool.query('DELETE FROM instances WHERE id = $1', [instance.id]);
  }

  async function finishBinding(instance: Instance, binding: Binding): Promise<Credentials> {
    const credentials = await driver(instance.service).bind(instance, binding.name);
    await pool.query("UPDATE bindings SET state = 'ready', credentials = $3 WHERE instance_id = $1 AND id = $2", [
      instance.id,
      binding.id,
      fernet.encrypt(JSON.stringify(credentials)),
    ]);
    return credentials;
  }

  async function finishUnbinding(instance: Instance, binding: Binding): Promise<void> {
    await driver(instance.service).unbind(instance, binding.name);
    await pool.query('DELETE FROM bindings WHERE instance_id = $1 AND id = $2', [instance.id, binding.id]);
  }

  function decrypt(binding: Binding): Credentials {
    try {
      return JSON.parse(fernet.decrypt(binding.credentials ?? '')) as Credentials;
    } catch (error) {
      throw new ApiError(
        500,
        'CredentialsUnreadable',
        `the credentials of binding ${binding.id} cannot be decrypted (${(error as Error).message}): was services_fernet_key changed? Unbind and bind again`,
        error,
      );
    }
  }

  return {
    async provision(id, request) {
      checkId('the instance id', id);
      const { service, plan } = findPlan(request.service_id, request.plan_id);
      const parameters = checkParameters(plan, request.parameters);
      // Before the row: what this Cloudspace cannot make leaves no trace.
      driver(service.id);
      return locks(id, async () => {
        const found = await instanceRow(id);
        if (found) {
          if (found.state === 'deleting')
            throw new ApiError(422, 'ConcurrencyError', `the instance ${id} is being deleted`);
          const same =
            found.service === service.id && found.plan === plan.id && isDeepStrictEqual(found.parameters, parameters);
          if (!same)
            throw new ApiError(
              409,
              'Conflict',
              `there is an instance ${id} already, and it is another: ${found.plan} with ${JSON.stringify(found.parameters)}`,
            );
          return { made: false, value: found.state === 'ready' ? found : await finishCreating(found) };
        }
        const row = await one<Instance>(
          pool,
          "INSERT INTO instances (id, service, plan, parameters, name, state) VALUES ($1, $2, $3, $4, $5, 'creating') RETURNING *",
          [id, service.id, plan.id, JSON.stringify(parameters), backingName(id)],
        );
        return { made: true, value: await finishCreating(row as Instance) };
      });
    },

    deprovision: (id) =>
      locks(checkId('the instance id', id), async () => {
        const found = await instanceRow(id);
        if (!found) throw new ApiError(410, 'Gone', `there is no instance ${id}`);
        await refuseDuring(id, ['backup', 'restore']);
        if (found.state !== 'deleting') {
          const bindings = await many<Binding>(pool, 'SELECT * FROM bindings WHERE instance_id = $1', [id]);
          if (bindings.length > 0)
            throw new ApiError(
              422,
              'BindingsExist',
              `the instance ${id} is in use: unbind ${bindings.map((binding) => binding.id).join(', ')} first`,
            );
          await pool.query("UPDATE instances SET state = 'deleting' WHERE id = $1", [id]);
        }
        await finishDeleting(found);
      }),

    async bind(instanceId, id) {
      checkId('the instance id', instanceId);
      checkId('the binding id', id);
      return locks(instanceId, async () => {
        const instance = await ready(instanceId);
        await refuseDuring(instanceId, ['restore']);
        const found = await bindingRow(instanceId, id);
        if (found?.state === 'deleting')
          throw new ApiError(422, 'ConcurrencyError', `the binding ${id} is being deleted`);
        if (found)
          return {
            made: false,
            value: found.state === 'ready' ? decrypt(found) : await finishBinding(instance, found),
          };
        const row = await one<Binding>(
          pool,
          "INSERT INTO bindings (instance_id, id, name, state) VALUES ($1, $2, $3, 'creating') RETURNING *",
          [instanceId, id, backingName(instanceId, id)],
        );
        return { made: true, value: await finishBinding(instance, row as Binding) };
      });
    },

    async unbind(instanceId, id) {
      checkId('the instance id', instanceId);
      checkId('the binding id', id);
      await locks(instanceId, async () => {
        const instance = await instanceRow(instanceId);
        const found = instance && (await bindingRow(instanceId, id));
        if (!found) throw new ApiError(410, 'Gone', `there is no binding ${id} of ${instanceId}`);
        await refuseDuring(instanceId, ['restore']);
        await pool.query("UPDATE bindings SET state = 'deleting' WHERE instance_id = $1 AND id = $2", [instanceId, id]);
        await finishUnbinding(instance, found);
      });
    },

    instance: ready,

    instances: () =>
      many(
        pool,
        `SELECT instances.*, coalesce(array_agg(bindings.id ORDER BY bindings.id) FILTER (WHERE bindings.id IS NOT NULL), '{}') AS bindings
           FROM instances LEFT JOIN bindings ON bindings.instance_id = instances.id GROUP BY instances.id ORDER BY instances.id`,
      ),

    async credentials(instanceId, id) {
      await ready(instanceId);
      const found = await bindingRow(instanceId, checkId('the binding id', id));
      if (found?.state !== 'ready')
        throw new ApiError(404, 'NotFound', `there is no binding ${id} of ${instanceId}: create it with PUT`);
      return decrypt(found);
    },

    async settle(onError) {
      let open = 0;
      const go = async (what: string, id: string, work: () => Promise<unknown>): Promise<void> => {
        try {
          await locks(id, work);
        } catch (error) {
          open++;
          onError(what, error);
        }
      };
      for (const { id, state } of await many<Instance>(pool, "SELECT * FROM instances WHERE state <> 'ready'"))
        await go(`${state} instance ${id}`, id, async () => {
          // Looked up again: a request may have been faster.
          const now = await instanceRow(id);
          if (now?.state === 'creating') await finishCreating(now);
          if (now?.state === 'deleting') await finishDeleting(now);
        });
      for (const row of await many<Binding>(pool, "SELECT * FROM bindings WHERE state <> 'ready'"))
        await go(`${row.state} binding ${row.id} of ${row.instance_id}`, row.instance_id, async () => {
          const instance = await instanceRow(row.instance_id);
          const now = await bindingRow(row.instance_id, row.id);
          if (instance && now?.state === 'creating') await finishBinding(instance, now);
          if (instance && now?.state === 'deleting') await finishUnbinding(instance, now);
        });
      return open;
    },
  };
}

export const notFound = (id: string): ApiError =>
  new ApiError(404, 'NotFound', `there is no instance ${id}: GET /v2/service_instances lists them`);
