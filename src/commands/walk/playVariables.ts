import { applicationsDomain } from '../../dns/settings.ts';
import { rabbitmqName } from '../../rabbitmq/settings.ts';
import type { Config } from '../../steps/config.ts';

/** What playbooks are told of DNS and of an existing RabbitMQ server (deployment/README.md). No secret: those come with the vault. */
export function playVariables(config: Config): Record<string, unknown> {
  return { ...dnsVariables(config), ...queueVariables(config) };
}

function dnsVariables(config: Config): Record<string, unknown> {
  if (!config.dns) return {};
  const { provider, hostDomain, appZone } = config.dns;
  return {
    cloudspace_domain: applicationsDomain(config),
    cloudspace_host_domain: `${config.name}.${hostDomain}`,
    cloudspace_dns: { provider, zone: appZone },
  };
}

function queueVariables({ name, rabbitmq }: Config): Record<string, unknown> {
  if (!rabbitmq) return {};
  const { host, port, tls, managementUrl } = rabbitmq;
  const [controller, services] = (['controller', 'services'] as const).map((user) => {
    const both = rabbitmqName(name, user);
    return { vhost: both, user: both };
  });
  return { cloudspace_rabbitmq: { host, port, tls, management_url: managementUrl, controller, services } };
}
