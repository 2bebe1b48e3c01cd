/** Regions with the number of their zones and the prefix of their zone ids. Source: AWS documentation, "Regions and Zones". */
export const REGIONS: Readonly<Record<string, { readonly zones: readonly string[]; readonly zoneIdPrefix: string }>> = {
  'us-east-1': { zones: ['a', 'b', 'c', 'd', 'e', 'f'], zoneIdPrefix: 'use1' },
  'us-east-2': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'use2' },
  'us-west-1': { zones: ['a', 'c'], zoneIdPrefix: 'usw1' },
  'us-west-2': { zones: ['a', 'b', 'c', 'd'], zoneIdPrefix: 'usw2' },
  'ca-central-1': { zones: ['a', 'b', 'd'], zoneIdPrefix: 'cac1' },
  'eu-central-1': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'euc1' },
  'eu-west-1': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'euw1' },
  'eu-west-2': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'euw2' },
  'eu-west-3': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'euw3' },
  'eu-north-1': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'eun1' },
  'ap-south-1': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'aps1' },
  'ap-northeast-1': { zones: ['a', 'c', 'd'], zoneIdPrefix: 'apne1' },
  'ap-northeast-2': { zones: ['a', 'b', 'c', 'd'], zoneIdPrefix: 'apne2' },
  'ap-northeast-3': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'apne3' },
  'ap-southeast-1': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'apse1' },
  'ap-southeast-2': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'apse2' },
  'sa-east-1': { zones: ['a', 'b', 'c'], zoneIdPrefix: 'sae1' },
};

/** Zone names of a region: eu-central-1a, … */
export function zoneNames(region: string): string[] {
  return (REGIONS[region]?.zones ?? []).map((zone) => region + zone);
}

/** eu-central-1b is euc1-az2 here; on AWS the mapping differs from account to account. */
export function zoneId(region: string, zone: string): string {
  return `${REGIONS[region]?.zoneIdPrefix}-az${zoneNames(region).indexOf(zone) + 1}`;
}
