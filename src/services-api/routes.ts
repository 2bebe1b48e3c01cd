import type { Backups } from './backups.ts';
import { type Broker, notFound } from './broker.ts';
import { catalogDocument, findPlan } from './catalog.ts';
import { ApiError, badRequest } from './errors.ts';
import { openApiDocument } from './openapi.ts';
import type { ApiAnswer, ApiRequest, Route } from './server.ts';
import type { Backup, Instance, Operation } from './store.ts';

const INSTANCE = '/v2/service_instances/:instance';
const BINDING = `${INSTANCE}/service_bindings/:binding`;
const BACKUPS = `${INSTANCE}/backups`;

export interface RouteParts {
  readonly broker: Broker;
  readonly backups: Backups;
  /** what does not answer, by name; empty: all is well */
  readonly trouble: () => Promise<readonly string[]>;
}

/** The API's table: the Open Service Broker API 2.17, and backups beside it. */
export function routes({ broker, backups, trouble }: RouteParts): Route[] {
  const at = ({ params }: ApiRequest, name: string): string => params[name] ?? '';

  return [
    {
      method: 'GET',
      path: '/healthz',
      open: true,
      handle: async () => {
        const found = await trouble();
        return { status: found.length === 0 ? 200 : 503, body: { ok: found.length === 0, trouble: found } };
      },
    },
    { method: 'GET', path: '/openapi.json', open: true, handle: async () => ok(openApiDocument()) },
    { method: 'GET', path: '/v2/catalog', handle: async () => ok(catalogDocument()) },
    {
      method: 'GET',
      path: '/v2/service_instances',
      handle: async () =>
        ok({
          instances: (await broker.instances()).map((one) => ({ ...shownInstance(one), bindings: one.bindings })),
        }),
    },
    {
      method: 'PUT',
      path: INSTANCE,
      handle: async (request) => {
        const { service_id, plan_id, parameters } = request.body;
        const { made, value } = await broker.provision(at(request, 'instance'), {
          service_id: text('service_id', service_id),
          plan_id: text('plan_id', plan_id),
          parameters,
        });
        return { status: made ? 201 : 200, body: shownInstance(value) };
      },
    },
    {
      method: 'GET',
      path: INSTANCE,
      handle: async (request) => ok(shownInstance(await broker.instance(at(request, 'instance')))),
    },
    {
      method: 'DELETE',
      path: INSTANCE,
      handle: async (request) => {
        await broker.deprovision(at(request, 'instance'));
        return ok({});
      },
    },
    {
      method: 'GET',
      path: `${INSTANCE}/last_operation`,
      handle: async (request) => {
        const id = at(request, 'instance');
        const operation = request.query.get('operation') ?? undefined;
        const found = await backups.operation(id, operation);
        if (found) return ok(shownOperation(found));
        if (operation !== undefined) throw new ApiError(404, 'NotFound', `${id} has no such operation`);
        const instance = (await broker.instances()).find((one) => one.id === id);
        if (!instance) throw notFound(id);
        const state = instance.state === 'ready' ? 'succeeded' : 'in progress';
        return ok({ state, description: `the instance is ${instance.state}` });
      },
    },
    {
      method: 'PUT',
      path: BINDING,
      handle: async (request) => {
        const { service_id, plan_id, parameters } = request.body;
        if (parameters !== undefined && JSON.stringify(parameters) !== '{}')
          throw badRequest('bindings have no parameters');
        await sameService(at(request, 'instance'), service_id, plan_id);
        const { made, value } = await broker.bind(at(request, 'instance'), at(request, 'binding'));
        return { status: made ? 201 : 200, body: { credentials: value } };
      },
    },
    {
      method: 'GET',
      path: BINDING,
      handle: async (request) =>
        ok({ credentials: await broker.credentials(at(request, 'instance'), at(request, 'binding')) }),
    },
    {
      method: 'DELETE',
      path: BINDING,
      handle: async (request) => {
        await broker.unbind(at(request, 'instance'), at(request, 'binding'));
        return ok({});
      },
    },
    {
      method: 'GET',
      path: BACKUPS,
      handle: async (request) => ok({ backups: (await backups.list(at(request, 'instance'))).map(shownBackup) }),
    },
    {
      method: 'POST',
      path: BACKUPS,
      handle: async (request) => {
        const operation = await backups.create(at(request, 'instance'));
        return accepted(operation);
      },
    },
    {
      method: 'GET',
      path: `${BACKUPS}/:backup`,
      handle: async (request) => ok(shownBackup(await backups.get(at(request, 'instance'), at(request, 'backup')))),
    },
    {
      method: 'DELETE',
      path: `${BACKUPS}/:backup`,
      handle: async (request) => {
        await backups.remove(at(request, 'instance'), at(request, 'backup'));
        return ok({});
      },
    },
    {
      method: 'POST',
      path: `${BACKUPS}/:backup/restore`,
      handle: async (request) => {
        const { into } = request.body;
        return accepted(
          await backups.restore(
            at(request, 'instance'),
            at(request, 'backup'),
            into === undefined ? undefined : text('into', into),
          ),
        );
      },
    },
  ];

  /** The Open Service Broker API sends both with a binding; here they may be left out. */
  async function sameService(id: string, service: unknown, plan: unknown): Promise<void> {
    if (service === undefined && plan === undefined) return;
    const wanted = findPlan(text('service_id', service), text('plan_id', plan));
    const instance = await broker.instance(id);
    if (instance.plan !== wanted.plan.id)
      throw badRequest(`the instance ${id} is of the plan ${instance.plan}, not ${wanted.plan.id}`);
  }
}

const ok = (body: unknown): ApiAnswer => ({ status: 200, body });

const accepted = (operation: Operation): ApiAnswer => ({
  status: 202,
  body: { operation: operation.id, backup: operation.backup_id, instance: operation.instance_id },
});

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw badRequest(`${name} is missing, or no text`);
}

const shownInstance = (one: Instance) => ({
  id: one.id,
  service_id: one.service,
  plan_id: one.plan,
  parameters: one.parameters,
  name: one.name,
  state: one.state,
  created_at: one.created_at,
});

const shownBackup = (one: Backup) => ({
  id: one.id,
  instance_id: one.instance_id,
  service_id: one.service,
  state: one.state,
  bytes: one.bytes === null ? null : Number(one.bytes),
  sha256: one.sha256,
  created_at: one.created_at,
  finished_at: one.finished_at,
});

const shownOperation = (one: Operation) => ({
  operation: one.id,
  kind: one.kind,
  backup: one.backup_id,
  state: one.state,
  description: one.description,
});
