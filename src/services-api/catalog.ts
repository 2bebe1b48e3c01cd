import { badRequest } from './errors.ts';

export type ServiceName = 'postgresql' | 'rabbitmq' | 's3';

/** Parameters of an instance: whole numbers only, each with its range and default. */
export interface NumberParameter {
  readonly minimum: number;
  readonly maximum: number;
  readonly default: number;
  readonly description: string;
}

export interface Plan {
  /** unique among all plans, as the Open Service Broker API wants it */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, NumberParameter>>;
}

export interface Service {
  readonly id: ServiceName;
  readonly description: string;
  readonly plans: readonly Plan[];
  /** what a backup of it holds; undefined: none can be made */
  readonly backup?: string;
}

export const SERVICES: readonly Service[] = [
  {
    id: 'postgresql',
    description: "A database on the Cloudspace's PostgreSQL server",
    backup: 'the whole database, as pg_dump writes it',
    plans: [
      {
        id: 'postgresql-small',
        name: 'small',
        description: 'One database; every binding has a role and a password of its own',
        parameters: {
          connection_limit: { minimum: 1, maximum: 50, default: 20, description: 'connections at the same time' },
        },
      },
    ],
  },
  {
    id: 'rabbitmq',
    description: "A virtual host on the Cloudspace's RabbitMQ server",
    backup: 'exchanges, queues, bindings, policies and parameters; no messages',
    plans: [
      {
        id: 'rabbitmq-small',
        name: 'small',
        description: 'One virtual host; every binding has a user and a password of its own',
        parameters: {
          max_connections: { minimum: 1, maximum: 500, default: 50, description: 'connections at the same time' },
          max_queues: { minimum: 1, maximum: 10_000, default: 100, description: 'queues' },
        },
      },
    ],
  },
  {
    id: 's3',
    description: 'A bucket for objects, on AWS',
    plans: [
      {
        id: 's3-bucket',
        name: 'bucket',
        description: 'One private, versioned bucket; every binding has a user and an access key of its own',
        parameters: {},
      },
    ],
  },
];

/** Finds service and plan; a plan by its id or, within the service, by its name. Throws ApiError 400 that lists what there is. */
export function findPlan(serviceId: string, planId: string): { service: Service; plan: Plan } {
  const service = SERVICES.find(({ id }) => id === serviceId);
  if (!service)
    throw badRequest(
      `there is no service ${JSON.stringify(serviceId.slice(0, 100))}: the services are ${SERVICES.map(({ id }) => id).join(', ')}`,
    );
  const plan = service.plans.find(({ id, name }) => id === planId || name === planId);
  if (!plan)
    throw badRequest(
      `the service ${service.id} has no plan ${JSON.stringify(planId.slice(0, 100))}: its plans are ${service.plans.map(({ name }) => name).join(', ')}`,
    );
  return { service, plan };
}

/** The plan's parameters with their defaults, in the plan's order. Throws ApiError 400 on one that is unknown or out of range. */
export function checkParameters(plan: Plan, given: unknown): Record<string, number> {
  const value = given ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw badRequest('parameters must be an object');
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(plan.parameters, key)) continue;
    const known = Object.keys(plan.parameters);
    throw badRequest(
      `the plan ${plan.id} knows no parameter ${JSON.stringify(key.slice(0, 100))}: ${known.length > 0 ? `it knows ${known.join(', ')}` : 'it has none'}`,
    );
  }
  const entries = Object.entries(plan.parameters).map(([key, { minimum, maximum, default: standard }]) => {
    const found = (value as Record<string, unknown>)[key] ?? standard;
    if (typeof found !== 'number' || !Number.isInteger(found) || found < minimum || found > maximum)
      throw badRequest(`the parameter ${key} must be a whole number from ${minimum} to ${maximum}`);
    return [key, found] as const;
  });
  return Object.fromEntries(entries);
}

/** The catalog as the Open Service Broker API 2.17 shows it. */
export function catalogDocument(): unknown {
  return {
    services: SERVICES.map(({ id, description, plans, backup }) => ({
      id,
      name: id,
      description,
      bindable: true,
      instances_retrievable: true,
      bindings_retrievable: true,
      plan_updateable: false,
      metadata: { backup: backup ?? null },
      plans: plans.map((plan) => ({
        id: plan.id,
        name: plan.name,
        description: plan.description,
        free: true,
        schemas: {
          service_instance: {
            create: {
              parameters: {
                $schema: 'http://json-schema.org/draft-07/schema#',
                type: 'object',
                additionalProperties: false,
                properties: Object.fromEntries(
                  Object.entries(plan.parameters).map(([key, parameter]) => [key, { type: 'integer', ...parameter }]),
                ),
              },
            },
          },
        },
      })),
    })),
  };
}
