import { isIPv4 } from 'node:net';

/** AWS's own service that answers with the caller's public address; the one the EC2 console uses for "My IP". */
const SERVICE = 'https://checkip.amazonaws.com';

/** This machine's public IPv4 address as AWS sees it; undefined when that cannot be found out within three seconds. */
export async function ownAddress(): Promise<string | undefined> {
  try {
    const response = await fetch(SERVICE, { signal: AbortSignal.timeout(3000) });
    const text = (await response.text()).trim();
    return isIPv4(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return (
    hostname === 'localhost' || hostname.endsWith('.localhost') || hostname.startsWith('127.') || hostname === '[::1]'
  );
}
