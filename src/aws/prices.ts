/**
 * USD an hour, on demand, Linux, without taxes, free tier and traffic. From AWS's public price pages (aws.amazon.com/ec2/pricing/on-demand,
 * /vpc/pricing, /elasticloadbalancing/pricing, /rds/postgresql/pricing) as of 2025; prices of these types have not moved in years. A region that is
 * not in the table is reckoned with us-east-1: most others are up to a quarter dearer.
 */
const PRICES = {
  'us-east-1': {
    natGateway: 0.045,
    publicIpv4: 0.005,
    networkLoadBalancer: 0.0225,
    gp3GbMonth: 0.08,
    rdsGp3GbMonth: 0.115,
    rdsSnapshotGbMonth: 0.095,
    't3.nano': 0.0052,
    't3.micro': 0.0104,
    't3.small': 0.0208,
    't3.medium': 0.0416,
    't3.large': 0.0832,
    't3.xlarge': 0.1664,
    't3.2xlarge': 0.3328,
    't4g.nano': 0.0042,
    't4g.micro': 0.0084,
    't4g.small': 0.0168,
    't4g.medium': 0.0336,
    't4g.large': 0.0672,
    't4g.xlarge': 0.1344,
    't4g.2xlarge': 0.2688,
    'm7g.medium': 0.0408,
    'm7g.large': 0.0816,
    'c7g.medium': 0.0363,
    'c7g.large': 0.0725,
    'db.t3.micro': 0.018,
    'db.t3.small': 0.036,
    'db.t3.medium': 0.072,
    'db.t4g.micro': 0.016,
    'db.t4g.small': 0.032,
    'db.t4g.medium': 0.065,
    'db.t4g.large': 0.129,
    'db.m7g.large': 0.168,
  },
  'eu-central-1': {
    natGateway: 0.052,
    publicIpv4: 0.005,
    networkLoadBalancer: 0.027,
    gp3GbMonth: 0.0952,
    rdsGp3GbMonth: 0.137,
    't3.nano': 0.006,
    't3.micro': 0.012,
    't3.small': 0.024,
    't3.medium': 0.048,
    't3.large': 0.096,
    't3.xlarge': 0.192,
    't3.2xlarge': 0.384,
    't4g.nano': 0.0048,
    't4g.micro': 0.0096,
    't4g.small': 0.0192,
    't4g.medium': 0.0384,
    't4g.large': 0.0768,
    't4g.xlarge': 0.1536,
    't4g.2xlarge': 0.3072,
    'db.t3.micro': 0.021,
    'db.t3.small': 0.042,
    'db.t3.medium': 0.084,
    'db.t4g.micro': 0.019,
    'db.t4g.small': 0.038,
    'db.t4g.medium': 0.077,
    'db.t4g.large': 0.152,
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, number>>>>;

/** AWS reckons a month as 730 hours. */
export const HOURS_A_MONTH = 730;

/** Is the region in the table, or reckoned with us-east-1? */
export function hasPrices(region: string): boolean {
  return Object.hasOwn(PRICES, region);
}

/** USD an hour (the `…Month` items: a month) of one item; an unknown item costs 0: say so with `hasPrice`. */
export function priceOf(item: string, region: string): number {
  const regional: Readonly<Record<string, number>> = Object.hasOwn(PRICES, region)
    ? PRICES[region as keyof typeof PRICES]
    : PRICES['us-east-1'];
  return regional[item] ?? (PRICES['us-east-1'] as Readonly<Record<string, number>>)[item] ?? 0;
}

/** Is the price of this item known? */
export function hasPrice(item: string): boolean {
  return Object.hasOwn(PRICES['us-east-1'], item);
}
