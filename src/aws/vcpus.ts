/** Families that share the quota "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances". */
export function isStandard(instanceType: string): boolean {
  return /^(?:im|is|[acdhimrtz])\d/.test(instanceType);
}

/**
 * vCPUs of an instance type, by its size: the rule holds for the standard families but bare metal. Undefined: look it up. Source: EC2 User
 * Guide, "Amazon EC2 instance types" (specifications).
 */
export function vcpusOf(instanceType: string): number | undefined {
  const [family = '', size = ''] = instanceType.split('.');
  const large = /^(\d*)xlarge$/.exec(size);
  if (large) return 4 * Number(large[1] || 1);
  if (size === 'large') return 2;
  const burstable = /^t\d/.test(family);
  if (size === 'medium') return burstable ? 2 : 1;
  if (/^(?:nano|micro|small)$/.test(size)) return burstable && !/^t[12]$/.test(family) ? 2 : 1;
  return undefined;
}
