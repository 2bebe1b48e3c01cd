import { GetConsoleOutputCommand } from '@aws-sdk/client-ec2';
import { closeConnections, presentedHostKey } from '../ansible/connections.ts';
import { fingerprint, parseConsoleHostKeys } from '../ansible/hostKeys.ts';
import { writeSshFiles } from '../ansible/sshConfig.ts';
import type { Host } from '../ansible/types.ts';
import { openJournal } from '../engine/journal.ts';
import { CloudspaceError, usageError } from '../engine/types.ts';
import type { Context } from './context.ts';
import { needHosts, sshOptions, writeHosts } from './hosts/hostsFile.ts';
import { locateExisting } from './session/places.ts';
import { openSession, type Session } from './session/session.ts';

/**
 * `cloudspace hosts trust HOST`: pins the key that a host shows now. Only with a reason: the instance's console output, which comes over AWS's API and not
 * from the network in between, shows the same key; or the person gives its fingerprint, read on the host by another way. Never because it came.
 * Throws CloudspaceError: `NoSuchHost`, `NoAnswer`, `NotConfirmed` (nothing vouches for the key), `Declined`.
 */
export async function run(context: Context): Promise<number> {
  const { ui, signal, options } = context;
  const [name = ''] = context.args;
  const place = await locateExisting(context);
  const hosts = await needHosts(place.dir, place.name);
  const host = hosts.find((known) => known.name === name);
  if (!host)
    throw usageError(
      `there is no host "${name}"`,
      `the hosts are: ${hosts.map((known) => known.name).join(', ')}`,
      'NoSuchHost',
    );
  const expected = options.fingerprint === undefined ? undefined : checkFingerprint(options.fingerprint);
  const session = await openSession(
    { ...context, options: { ...options, name: place.name } },
    { practice: place.state.practice, command: 'hosts trust' },
  );
  try {
    await session.practice?.settled();
    const ssh = sshOptions(place.name, place.state);
    const { sshConfig } = await writeSshFiles(place.dir, hosts, ssh);
    const came = await presentedHostKey(sshConfig, name, signal);
    signal.throwIfAborted();
    if (came === undefined)
      throw new CloudspaceError(`${name} does not answer, so it shows no key`, {
        code: 'NoAnswer',
        hint: 'see what is in the way: cloudspace check',
      });
    if (host.hostKeys.includes(came)) {
      ui.notify({ type: 'info', text: `${name} shows the pinned key, \`${fingerprint(came)}\`: nothing to do.` });
      return 0;
    }
    const reason = await confirmKey(session, host, came, expected, signal);
    ui.notify({
      type: 'warning',
      text: `${name} (\`${host.instanceId}\`)\n\n- pinned: \`${host.hostKeys.map(fingerprint).join(', ')}\`\n- shows: \`${fingerprint(came)}\`, ${reason}`,
    });
    const yes = await ui.ask({
      kind: 'confirm',
      id: 'hosts.trust',
      flag: '--yes',
      message: `Pin the new key of ${name}?`,
      help: 'Do so if you know why it changed: the keys were made anew, or the machine was set up again.',
      default: true,
    });
    if (!yes) throw new CloudspaceError('nothing was changed', { code: 'Declined' });
    await openJournal(place.dir, session.state ?? place.state).update((state) => {
      state.hostKeys[host.instanceId] = [came];
    });
    const renewed = hosts.map((one) => (one === host ? { ...one, hostKeys: [came] } : one));
    await writeHosts(place.dir, renewed);
    await writeSshFiles(place.dir, renewed, ssh);
    await closeConnections(sshConfig, [host]);
    ui.notify({
      type: 'summary',
      text: `The new key of ${name} is pinned.`,
      data: { host: name, key: fingerprint(came) },
    });
    return 0;
  } finally {
    await session.close();
  }
}

/** Says what vouches for the key that came. Throws `NotConfirmed` when nothing does. */
async function confirmKey(
  session: Session,
  { name, instanceId }: Host,
  came: string,
  expected: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (expected !== undefined) {
    if (fingerprint(came).endsWith(expected)) return 'which is the one you gave';
    throw usageError(
      `${name} shows ${fingerprint(came)}, not ${expected}`,
      'it is not the key you expect: do not trust it',
      'NotConfirmed',
    );
  }
  const { Output } = await session.aws.ec2.send(new GetConsoleOutputCommand({ InstanceId: instanceId }), {
    abortSignal: signal,
  });
  const shown = parseConsoleHostKeys(Buffer.from(Output ?? '', 'base64').toString('utf8'));
  if (shown.includes(came)) return 'and its console output shows the same';
  throw new CloudspaceError(
    `nothing vouches for the key that ${name} shows, ${fingerprint(came)}: its console shows ${shown.map(fingerprint).join(', ') || 'no keys'}`,
    {
      code: 'NotConfirmed',
      hint: 'read it on the host by another way (EC2 serial console, Session Manager): ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; then give it: --fingerprint SHA256:…',
    },
  );
}

function checkFingerprint(text: string): string {
  const found = /^(?:\d+ )?(SHA256:[A-Za-z0-9+/]{43})(?: |$)/.exec(text.trim())?.[1];
  if (found !== undefined) return found;
  throw usageError(
    `"${text}" is no fingerprint`,
    'it looks like SHA256: and 43 characters, as ssh-keygen -l prints it',
  );
}
