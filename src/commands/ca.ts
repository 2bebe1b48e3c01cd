import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { usageError } from '../engine/types.ts';
import { readAuthority } from './check/answer.ts';
import type { Context } from './context.ts';
import { locateExisting } from './session/places.ts';

/** `cloudspace ca`: the certificate of the Cloudspace's own authority on standard output, and how to trust it for people. Asks no cloud. */
export async function run(context: Context): Promise<number> {
  const { dir, name } = await locateExisting(context);
  const file = join(dir, 'ca.crt');
  const pem = await readAuthority(dir);
  if (pem === undefined)
    throw usageError(
      `"${name}" has no authority yet: ${file} is not there`,
      'the controller makes it when it is provisioned: go on with the walkthrough',
      'NoAuthority',
    );
  const certificate = new X509Certificate(pem);
  const { subject, fingerprint256, validTo } = certificate;
  if (context.options.json) {
    const notAfter = new Date(validTo).toISOString();
    context.print(`${JSON.stringify({ name, file, subject, fingerprint256, notAfter, pem }, null, 2)}\n`);
    return 0;
  }
  context.print(pem.endsWith('\n') ? pem : `${pem}\n`);
  // Not among the certificate: `cloudspace ca > ca.crt` makes a file that programs read.
  process.stderr.write(`\n${howToTrust(file, name, fingerprint256)}\n`);
  return 0;
}

/** Whoever trusts an authority believes it about every name there is: so one tool, or one profile, before the whole system. */
function howToTrust(file: string, name: string, fingerprint: string): string {
  const title = `cloudspace-${name}`;
  const ways: readonly [string, string][] = [
    ['curl, once', `curl --cacert ${file} https://...`],
    ['Node, one program', `NODE_EXTRA_CA_CERTS=${file} node ...`],
    ['Firefox', 'Settings, Privacy & Security, View Certificates, Authorities,\n    Import; tick "identify websites"'],
    [
      'Chrome on Linux (package libnss3-tools)',
      `certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n ${title} \\\n      -i ${file}`,
    ],
    [
      'Debian, Ubuntu',
      `sudo install -m 644 ${file} \\\n      /usr/local/share/ca-certificates/${title}.crt\n    sudo update-ca-certificates`,
    ],
    [
      'Fedora',
      `sudo install -m 644 ${file} \\\n      /etc/pki/ca-trust/source/anchors/${title}.crt\n    sudo update-ca-trust`,
    ],
    [
      'macOS (Safari, Chrome)',
      `security add-trusted-cert -r trustRoot \\\n      -k ~/Library/Keychains/login.keychain-db ${file}`,
    ],
    ['Windows (Edge, Chrome)', 'certutil -user -addstore Root ca.crt'],
  ];
  return [
    'This is the certificate of the authority of the Cloudspace itself:',
    file,
    `SHA-256 ${fingerprint}`,
    '',
    'Whoever holds its key can speak for any name to those who trust it; the key is',
    'on the controller alone. Trust it where you need it, and no longer than the',
    'Cloudspace stands.',
    '',
    ...ways.map(([where, how]) => `  ${where}:\n    ${how}`),
    '',
    'With a DNS of your own, "certificates:" in cloudspace.yaml gets certificates',
    'that browsers trust already.',
  ].join('\n');
}
