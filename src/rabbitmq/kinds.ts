import { CloudspaceError, type Found, type Kind, type Output, type Scope } from '../engine/types.ts';
import type { Rabbitmq } from './client.ts';

/** Part of the clients that the engine hands to the kinds. */
export interface RabbitmqCloud {
  /** undefined: no existing server is configured */
  readonly rabbitmq?: () => Promise<{ readonly server: Rabbitmq; readonly account: string } | undefined>;
  /** a generated secret of the vault, by its name */
  secret(name: string): Promise<string>;
}

/** Where the equal commands find the server; user and password are in the environment of who pastes them. */
const curl = (method: string, path: string, body?: unknown): string[] => [
  ...`curl --request ${method} --netrc --json`.split(' '),
  JSON.stringify(body ?? {}),
  `$rabbitmq_url/api/${path}`,
];

async function connected(cloud: RabbitmqCloud) {
  const connection = await cloud.rabbitmq?.();
  if (connection) return connection;
  throw new CloudspaceError('no RabbitMQ server is configured', {
    code: 'NoRabbitmq',
    hint: 'say in cloudspace.yaml where it is (rabbitmq:)',
  });
}

/**
 * The server is shared by all teams, and two accounts may each have a hackathon-07: so the account counts too. Virtual hosts and users have tags of their own;
 * RabbitMQ gives rights by some user tags (`administrator`, `management`, …), and ours are none of them.
 */
function marks(tags: Readonly<Record<string, string>>, account: string): string[] {
  const { Name: _, ...own } = tags;
  return Object.entries({ ...own, 'cloudspace:account': account }).map(([key, value]) => `${key}=${value}`);
}

function readMarks(list: readonly string[] | string | undefined): Record<string, string> {
  const words = typeof list === 'string' ? list.split(',') : (list ?? []);
  return Object.fromEntries(
    words.flatMap((word) => {
      const at = word.indexOf('=');
      return at === -1 ? [] : [[word.slice(0, at).trim(), word.slice(at + 1)]];
    }),
  );
}

interface Marked {
  readonly name: string;
  readonly tags?: readonly string[] | string;
}

/** Who has a virtual host or user: `'nobody'` when it is not there. */
export async function ownerOf(
  server: Rabbitmq,
  what: 'vhosts' | 'users',
  name: string,
  owner: { readonly name: string; readonly account: string },
): Promise<'us' | 'nobody' | 'another'> {
  const there = await server.call<Marked>('GET', [what, name]);
  if (!there) return 'nobody';
  const tags = readMarks(there.tags);
  return tags['cloudspace:name'] === owner.name && tags['cloudspace:account'] === owner.account ? 'us' : 'another';
}

/** The error for a name that is there and not ours. */
export function takenAtRabbitmq(what: 'vhosts' | 'users', name: string): CloudspaceError {
  return new CloudspaceError(
    `the RabbitMQ server has a ${what === 'vhosts' ? 'virtual host' : 'user'} "${name}" that this Cloudspace did not make`,
    {
      code: 'RabbitmqTaken',
      hint: 'it is left alone: delete it there if nobody needs it, or choose another --name',
      exitCode: 2,
    },
  );
}

async function refuseTaken(cloud: RabbitmqCloud, what: 'vhosts' | 'users', name: string, cloudspace: string) {
  const { server, account } = await connected(cloud);
  if ((await ownerOf(server, what, name, { name: cloudspace, account })) === 'another')
    throw takenAtRabbitmq(what, name);
  return { server, account };
}

/** Ours of the virtual hosts or users; each list is read once a round. */
function read(cloud: RabbitmqCloud, scope: Scope, what: 'vhosts' | 'users'): Promise<Found[]> {
  return scope.once(`RabbitMQ ${what}`, async () => {
    const connection = await cloud.rabbitmq?.();
    const all = (await connection?.server.call<Marked[]>('GET', [what])) ?? [];
    return all.flatMap(({ name, tags: list }) => {
      const tags = readMarks(list);
      if (tags['cloudspace:name'] !== scope.name || tags['cloudspace:account'] !== connection?.account) return [];
      return [{ out: { id: name }, key: tags['cloudspace:key'] ?? '', chapter: tags['cloudspace:chapter'] ?? '' }];
    });
  });
}

export interface VhostProps {
  readonly vhost: string;
}

export const rabbitmqVhost: Kind<VhostProps, Output, RabbitmqCloud> = {
  type: 'rabbitmq_vhost',
  label: 'RabbitMQ virtual host',
  list: (cloud, scope) => read(cloud, scope, 'vhosts'),
  async create(cloud, { vhost }, { tags, name }) {
    const { server, account } = await refuseTaken(cloud, 'vhosts', vhost, name);
    await server.call('PUT', ['vhosts', vhost], {
      description: `Cloudspace ${name}`,
      tags: marks(tags, account).join(','),
    });
    return { id: vhost };
  },
  async delete(cloud, { id }) {
    await (await connected(cloud)).server.call('DELETE', ['vhosts', id]);
  },
  cli: ({ vhost }, { tags }) => curl('PUT', `vhosts/${vhost}`, { tags: marks(tags, '$account').join(',') }),
};

export interface UserProps {
  readonly user: string;
  /** name of its password in the vault; it is generated when it is not there */
  readonly passwordSecret: string;
}

export const rabbitmqUser: Kind<UserProps, Output, RabbitmqCloud> = {
  type: 'rabbitmq_user',
  label: 'RabbitMQ user',
  list: (cloud, scope) => read(cloud, scope, 'users'),
  async create(cloud, { user, passwordSecret }, { tags, name }) {
    const { server, account } = await refuseTaken(cloud, 'users', user, name);
    const password = await cloud.secret(passwordSecret);
    await server.call('PUT', ['users', user], { password, tags: marks(tags, account).join(',') });
    return { id: user };
  },
  async delete(cloud, { id }) {
    await (await connected(cloud)).server.call('DELETE', ['users', id]);
  },
  cli: ({ user }, { tags }) =>
    curl('PUT', `users/${user}`, { password: '$password', tags: marks(tags, '$account').join(',') }),
};

export interface PermissionsProps {
  readonly vhost: string;
  readonly user: string;
}

/** `id` is `<user>@<vhost>`, as Terraform imports it */
export interface PermissionsOutput extends Output, PermissionsProps, Rights {}

interface Rights {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Everything in the user's own virtual host, and nothing elsewhere. */
const ALL: Rights = { configure: '.*', write: '.*', read: '.*' };

const permissions = (
  { user, vhost }: PermissionsProps,
  { configure, write, read: reading }: Rights,
): PermissionsOutput => ({
  id: `${user}@${vhost}`,
  user,
  vhost,
  configure,
  write,
  read: reading,
});

export const rabbitmqPermissions: Kind<PermissionsProps, PermissionsOutput, RabbitmqCloud> = {
  type: 'rabbitmq_permissions',
  label: 'RabbitMQ permissions',
  async list(cloud, scope) {
    const connection = await cloud.rabbitmq?.();
    if (!connection) return [];
    const [users, vhosts, all] = await Promise.all([
      read(cloud, scope, 'users'),
      read(cloud, scope, 'vhosts'),
      connection.server.call<(PermissionsProps & Rights)[]>('GET', ['permissions']),
    ]);
    const ours = (list: readonly Found[], id: string): boolean => list.some(({ out }) => out.id === id);
    return (all ?? [])
      .filter(({ user, vhost }) => ours(users, user) && ours(vhosts, vhost))
      .map((one) => ({ out: permissions(one, one) }));
  },
  matches: (props, out) => props.user === out.user && props.vhost === out.vhost,
  async create(cloud, props) {
    const { server } = await connected(cloud);
    await server.call('PUT', ['permissions', props.vhost, props.user], ALL);
    return permissions(props, ALL);
  },
  drift: (_props, out) =>
    (['configure', 'write', 'read'] as const)
      .filter((attribute) => out[attribute] !== ALL[attribute])
      .map((attribute) => ({ attribute, want: ALL[attribute], have: out[attribute] })),
  async update(cloud, props) {
    const { server } = await connected(cloud);
    await server.call('PUT', ['permissions', props.vhost, props.user], ALL);
    return permissions(props, ALL);
  },
  async delete(cloud, { user, vhost }) {
    await (await connected(cloud)).server.call('DELETE', ['permissions', vhost, user]);
  },
  cli: ({ user, vhost }) => curl('PUT', `permissions/${vhost}/${user}`, ALL),
};
