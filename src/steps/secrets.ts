/** One secret of the vault file, by the name that the guide gives it. */
export interface KnownSecret {
  readonly what: string;
  /** plays that put it to use: they run again after it has changed, in this order */
  readonly plays: readonly string[];
  /** it is not only ours: RDS, or the existing RabbitMQ server, has to take the new one too */
  readonly at?: 'rds' | 'rabbitmq';
  /** its other side is not ours: a new value comes from there */
  readonly external?: true;
  /** a list in the vault that keeps former values readable, newest first */
  readonly former?: string;
}

const CONNECTED = ['play-services', 'play-connect'] as const;
const EVERYWHERE = ['play-bastion', 'play-controller', 'play-runners', 'play-services'] as const;

/** What the wizard generates or puts into the vault. Everything else in the file is the team's own. */
export const KNOWN_SECRETS: Readonly<Record<string, KnownSecret>> = {
  database_master_password: { what: 'master user of the database', plays: CONNECTED, at: 'rds' },
  redis_password: {
    what: 'Redis on the controller, which holds the routes',
    plays: ['play-controller', 'play-runners'],
  },
  services_api_token: { what: 'bearer token of the services API', plays: ['play-services'] },
  services_database_password: { what: 'database user of the services API', plays: ['play-services'] },
  services_rabbitmq_password: { what: 'RabbitMQ user of the services API', plays: ['play-services'] },
  services_redis_password: { what: 'kept for a web interface of the services API', plays: [] },
  services_secret_key: { what: 'kept for a web interface of the services API', plays: [] },
  services_fernet_key: {
    what: 'encrypts the credentials that the services API stores',
    plays: ['play-services'],
    former: 'services_api_old_fernet_keys',
  },
  elasticsearch_password: { what: 'user that the hosts ship logs with', plays: EVERYWHERE, external: true },
  elasticsearch_api_key: {
    what: 'API key of Elasticsearch, for your own playbooks',
    plays: EVERYWHERE,
    external: true,
  },
  dnsimple_token: { what: 'API token of DNSimple, for certificates', plays: ['play-controller'], external: true },
  certificates_aws_secret_access_key: {
    what: 'AWS key that changes the records of certificates',
    plays: ['play-controller'],
    external: true,
  },
  rabbitmq_controller_password: {
    what: "controller's user of the existing RabbitMQ server, for your own playbooks",
    plays: ['play-controller'],
    at: 'rabbitmq',
  },
  rabbitmq_services_password: {
    what: "services API's user of the existing RabbitMQ server, for your own playbooks",
    plays: ['play-services'],
    at: 'rabbitmq',
  },
};
