import { SERVICES } from './catalog.ts';

const string = { type: 'string' } as const;
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: unknown) => ({ content: { 'application/json': { schema } } });
const answer = (description: string, schema: unknown = {}) => ({ description, ...json(schema) });
const error = (description: string) => ({ description, ...json(ref('Error')) });
const inPath = (name: string, description: string) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' },
});

const instance = inPath('instance', "the instance's id, chosen by you");
const binding = inPath('binding', "the binding's id, chosen by you");
const backup = inPath('backup', "the backup's id");

const common = { 401: error('token missing or wrong'), 503: error('the database does not answer') };
const absent = { 404: error('there is none') };
const busy = { 422: error('something else with it is under way, or it is in use') };

/** OpenAPI 3.1 of all routes; the tests hold the two beside each other. */
export function openApiDocument() {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Cloudspace services API',
      version: '1.0.0',
      description:
        'Databases, message queues and buckets for applications. The shape is that of the Open Service Broker API 2.17; backups are an addition.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'https://services' }],
    security: [{ token: [] }],
    paths: {
      '/healthz': {
        get: {
          operationId: 'health',
          summary: 'Does everything behind this API answer?',
          security: [],
          responses: { 200: answer('yes', ref('Health')), 503: answer('no', ref('Health')) },
        },
      },
      '/openapi.json': {
        get: { operationId: 'openapi', summary: 'This document', security: [], responses: { 200: answer('it') } },
      },
      '/v2/catalog': {
        get: {
          operationId: 'catalog',
          summary: 'Services and plans',
          responses: { 200: answer('the catalog'), ...common },
        },
      },
      '/v2/service_instances': {
        get: {
          operationId: 'listInstances',
          summary: 'All instances with the ids of their bindings',
          responses: {
            200: answer('the instances', {
              type: 'object',
              properties: { instances: { type: 'array', items: ref('Instance') } },
            }),
            ...common,
          },
        },
      },
      '/v2/service_instances/{instance}': {
        parameters: [instance],
        put: {
          operationId: 'provision',
          summary: 'Make an instance; the same request again changes nothing',
          requestBody: { required: true, ...json(ref('Provision')) },
          responses: {
            200: answer('it was there already, the same', ref('Instance')),
            201: answer('made', ref('Instance')),
            400: error('unknown service, plan or parameter'),
            409: error('the id is taken by an instance with another plan or other parameters'),
            501: error('this Cloudspace has no such service'),
            ...busy,
            ...common,
          },
        },
        get: {
          operationId: 'instance',
          summary: 'One instance',
          responses: { 200: answer('it', ref('Instance')), ...absent, ...busy, ...common },
        },
        delete: {
          operationId: 'deprovision',
          summary: 'Delete the instance and its data; its backups stay',
          responses: { 200: answer('deleted'), 410: error('there is none (any more)'), ...busy, ...common },
        },
      },
      '/v2/service_instances/{instance}/last_operation': {
        parameters: [instance, { name: 'operation', in: 'query', schema: string, description: 'default: the newest' }],
        get: {
          operationId: 'lastOperation',
          summary: 'How a backup or restore is going',
          responses: { 200: answer('the operation', ref('Operation')), ...absent, ...common },
        },
      },
      '/v2/service_instances/{instance}/service_bindings/{binding}': {
        parameters: [instance, binding],
        put: {
          operationId: 'bind',
          summary: 'A login of its own; the same request again gives the same credentials',
          requestBody: { required: false, ...json({ type: 'object' }) },
          responses: {
            200: answer('it was there already', ref('Credentials')),
            201: answer('made', ref('Credentials')),
            400: error('parameters, or another service'),
            ...absent,
            ...busy,
            ...common,
          },
        },
        get: {
          operationId: 'binding',
          summary: 'The credentials again',
          responses: { 200: answer('them', ref('Credentials')), ...absent, ...busy, ...common },
        },
        delete: {
          operationId: 'unbind',
          summary: 'Remove the login, and end its sessions',
          responses: { 200: answer('removed'), 410: error('there is none (any more)'), ...busy, ...common },
        },
      },
      '/v2/service_instances/{instance}/backups': {
        parameters: [instance],
        get: {
          operationId: 'listBackups',
          summary: 'Backups, oldest first; also of an instance that was deleted',
          responses: {
            200: answer('the backups', {
              type: 'object',
              properties: { backups: { type: 'array', items: ref('Backup') } },
            }),
            ...common,
          },
        },
        post: {
          operationId: 'createBackup',
          summary: 'Begin a backup',
          responses: {
            202: answer('begun', ref('Begun')),
            400: error('the service has no backups'),
            ...absent,
            ...busy,
            ...common,
          },
        },
      },
      '/v2/service_instances/{instance}/backups/{backup}': {
        parameters: [instance, backup],
        get: {
          operationId: 'backup',
          summary: 'One backup with its size and SHA-256 checksum',
          responses: { 200: answer('it', ref('Backup')), ...absent, ...common },
        },
        delete: {
          operationId: 'deleteBackup',
          summary: 'Delete a backup',
          responses: { 200: answer('deleted'), ...absent, ...busy, ...common },
        },
      },
      '/v2/service_instances/{instance}/backups/{backup}/restore': {
        parameters: [instance, backup],
        post: {
          operationId: 'restore',
          summary: 'Begin a restore, into the same instance or another of the same service',
          requestBody: {
            required: false,
            ...json({ type: 'object', properties: { into: { ...string, description: "another instance's id" } } }),
          },
          responses: {
            202: answer('begun; a damaged backup makes the operation fail and touches nothing', ref('Begun')),
            400: error('another service'),
            ...absent,
            ...busy,
            ...common,
          },
        },
      },
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: {
        Error: {
          type: 'object',
          required: ['error', 'description'],
          properties: {
            error: { ...string, description: 'for programs' },
            description: { ...string, description: 'for people' },
          },
        },
        Health: {
          type: 'object',
          properties: { ok: { type: 'boolean' }, trouble: { type: 'array', items: string } },
        },
        Provision: {
          type: 'object',
          required: ['service_id', 'plan_id'],
          properties: {
            service_id: { ...string, enum: SERVICES.map(({ id }) => id) },
            plan_id: { ...string, description: "the plan's id, or its name within the service" },
            parameters: { type: 'object', description: "the plan's; the catalog has their schema" },
          },
        },
        Instance: {
          type: 'object',
          properties: {
            id: string,
            service_id: string,
            plan_id: string,
            parameters: { type: 'object' },
            name: { ...string, description: 'of the database, virtual host or bucket behind it' },
            state: { enum: ['creating', 'ready', 'deleting'] },
            created_at: { ...string, format: 'date-time' },
            bindings: { type: 'array', items: string },
          },
        },
        Credentials: {
          type: 'object',
          properties: { credentials: { type: 'object', description: '`uri` and its parts' } },
        },
        Backup: {
          type: 'object',
          properties: {
            id: string,
            instance_id: string,
            service_id: string,
            state: { enum: ['in progress', 'ready', 'failed'] },
            bytes: { type: ['integer', 'null'] },
            sha256: { type: ['string', 'null'], pattern: '^[0-9a-f]{64}$' },
            created_at: { ...string, format: 'date-time' },
            finished_at: { type: ['string', 'null'], format: 'date-time' },
          },
        },
        Begun: {
          type: 'object',
          properties: { operation: string, backup: string, instance: string },
        },
        Operation: {
          type: 'object',
          properties: {
            operation: string,
            kind: { enum: ['backup', 'restore'] },
            backup: string,
            state: { enum: ['in progress', 'succeeded', 'failed'] },
            description: string,
          },
        },
      },
    },
  };
}
