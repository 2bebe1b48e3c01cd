/** An account's quotas in a region, by short name. Source of names, codes and defaults: AWS, "Service Quotas" of each service. */
export const QUOTAS = {
  vpc: { service: 'vpc', code: 'L-F678F1CE', name: 'VPCs per Region', value: 5 },
  eip: { service: 'ec2', code: 'L-0263D0A3', name: 'EC2-VPC Elastic IPs', value: 5 },
  nat: { service: 'vpc', code: 'L-FE5A380F', name: 'NAT gateways per Availability Zone', value: 5 },
  vcpu: {
    service: 'ec2',
    code: 'L-1216C47A',
    name: 'Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances',
    value: 32,
  },
  group: { service: 'vpc', code: 'L-E79EC296', name: 'VPC security groups per Region', value: 2500 },
  rule: { service: 'vpc', code: 'L-0EA8095F', name: 'Inbound or outbound rules per security group', value: 60 },
  nlb: { service: 'elasticloadbalancing', code: 'L-69A177A2', name: 'Network Load Balancers per Region', value: 50 },
  db: { service: 'rds', code: 'L-7B6409FD', name: 'DB instances', value: 40 },
  'db-subnet-group': { service: 'rds', code: 'L-48C6BF61', name: 'DB subnet groups', value: 50 },
} as const;

export type Quota = keyof typeof QUOTAS;
export type Quotas = Readonly<Record<Quota, number>>;

/**
 * AWS's defaults, with those that are given as `name=value` in their place: `quotasWith(['vcpu=4000'])`.
 * Throws RangeError naming the part that is wrong and the names there are.
 */
export function quotasWith(settings: readonly string[] = []): Quotas {
  const values = Object.fromEntries(Object.entries(QUOTAS).map(([name, { value }]) => [name, value as number]));
  for (const setting of settings) {
    const [name = '', value = '', ...rest] = setting.split('=');
    if (!Object.hasOwn(QUOTAS, name) || rest.length > 0)
      throw new RangeError(`"${name}" in "${setting}" is no quota; there are: ${Object.keys(QUOTAS).join(', ')}`);
    if (!/^\d{1,9}$/.test(value))
      throw new RangeError(`"${value}" in "${setting}" is not a whole number from 0: write ${name}=${values[name]}`);
    values[name] = Number(value);
  }
  return values as Record<Quota, number>;
}
