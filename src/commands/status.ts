import type { State } from '../engine/journal.ts';
import { CHAPTERS, type DriftItem } from '../engine/types.ts';
import type { Context } from './context.ts';
import { readHosts } from './hosts/hostsFile.ts';
import { locateExisting } from './session/places.ts';
import { publicName } from './systems/domains.ts';
import { driftText } from './walk/driftText.ts';

const HOURS_A_MONTH = 730;

/** `cloudspace status`: from the journal alone, no cloud call; with `--refresh` also what was changed or removed by hand. */
export async function run(context: Context): Promise<number> {
  const { state, dir, name } = await locateExisting(context);
  const fresh = context.options.refresh ? await refresh(context, state) : undefined;
  const drift = fresh?.drift;
  const hosts = await readHosts(dir);
  const document = {
    name,
    account: state.account,
    region: state.region,
    practice: state.practice,
    updatedAt: state.updatedAt,
    chapters: CHAPTERS.map((id) => ({ id, status: state.chapters[id] ?? 'open' })),
    resources: Object.entries(state.resources).map(([key, entry]) => ({
      key,
      type: entry.type,
      chapter: entry.chapter,
      id: entry.out?.id ?? null,
      status: entry.status,
      ...(entry.adopted ? { adopted: true } : {}),
    })),
    ...(drift ? { drift } : {}),
    ...(fresh ? { credentialsEnd: fresh.credentials.end } : {}),
    plays: Object.entries(state.plays).map(([key, play]) => ({ key, status: play.status, at: play.at })),
    hosts: hosts.map(({ name: host, groups, privateIp, publicIp }) => ({
      name: host,
      groups,
      privateIp,
      publicIp: publicIp ?? null,
      publicName: publicName(name, state, host) ?? null,
    })),
    usdPerHour: Number(costOf(state).toFixed(4)),
  };
  if (context.options.json) context.print(`${JSON.stringify(document, null, 2)}\n`);
  else context.print(text(document, state, fresh?.credentials.life));
  return 0;
}

/** What only the cloud knows: what was changed by hand, and how long the credentials last. */
async function refresh(
  context: Context,
  state: State,
): Promise<{ drift: readonly DriftItem[]; credentials: { end: string | null; life: string | undefined } }> {
  const { planned } = await import('./plan.ts');
  const { lifeOf } = await import('./session/credentialsLife.ts');
  return planned(
    context,
    { practice: state.practice, command: 'status' },
    async ({ credentials }, _answers, _list, plan) => ({
      drift: plan.drift,
      credentials: { end: credentials.expiration()?.toISOString() ?? null, life: lifeOf(credentials) },
    }),
  );
}

function costOf(state: State): number {
  return Object.values(state.resources)
    .filter((entry) => entry.status !== 'intent')
    .reduce((sum, entry) => sum + (entry.usdPerHour ?? 0), 0);
}

function text(
  document: {
    name: string;
    account: string;
    region: string;
    practice: boolean;
    chapters: readonly { id: string; status: string }[];
    resources: readonly { key: string; chapter: string; id: string | null; status: string; adopted?: boolean }[];
    drift?: readonly DriftItem[];
    hosts: readonly { name: string; privateIp: string; publicIp: string | null; publicName: string | null }[];
    usdPerHour: number;
  },
  state: State,
  life?: string,
): string {
  const lines = [
    `${document.name}: ${document.practice ? 'practice cloud' : 'AWS'}, account ${document.account}, ${document.region}`,
    '',
    'Chapters',
    ...document.chapters.map(({ id, status }) => {
      const count = document.resources.filter((resource) => resource.chapter === id).length;
      return `  ${id.padEnd(12)}${status.padEnd(10)}${count > 0 ? `${count} resources` : ''}`.trimEnd();
    }),
  ];
  const unsettled = document.resources.filter((resource) => resource.status !== 'ready');
  if (unsettled.length > 0)
    lines.push(
      '',
      'Not settled',
      ...unsettled.map((resource) =>
        `  ${resource.key.padEnd(30)} ${resource.status.padEnd(9)} ${resource.id ?? ''}`.trimEnd(),
      ),
    );
  const adopted = document.resources.filter((resource) => resource.adopted);
  if (adopted.length > 0)
    lines.push(
      '',
      'Made by you',
      ...adopted.map(({ key, id }) => `  ${key.padEnd(30)} adopted   ${id ?? ''}`.trimEnd()),
    );
  if (document.drift)
    lines.push(
      '',
      ...(document.drift.length > 0 ? driftText(document.drift) : ['Nothing was changed or removed by hand.']),
    );
  if (document.hosts.length > 0)
    lines.push(
      '',
      'Hosts',
      ...document.hosts.map((host) =>
        `  ${host.name.padEnd(14)}${host.privateIp.padEnd(16)}${(host.publicIp ?? '').padEnd(16)}${host.publicName ?? ''}`.trimEnd(),
      ),
    );
  const failed = Object.entries(state.plays).filter(([, play]) => play.status === 'failed');
  if (failed.length > 0)
    lines.push(
      '',
      'Failed plays',
      ...failed.map(([key, play]) => `  ${key}: ${(play.failedHosts ?? []).join(', ')}; log ${play.log ?? '-'}`),
    );
  if (life !== undefined) lines.push('', `You have ${life}.`);
  const month = (document.usdPerHour * HOURS_A_MONTH).toFixed(0);
  lines.push(
    '',
    document.practice
      ? `Cost: nothing; on AWS about ${document.usdPerHour.toFixed(3)} USD an hour (${month} a month).`
      : `Cost: about ${document.usdPerHour.toFixed(3)} USD an hour (${month} a month), traffic not counted.`,
    '',
    `Next: ${next(document.practice, document.chapters, document.resources.length)}`,
  );
  return `${lines.join('\n')}\n`;
}

function next(practice: boolean, chapters: readonly { id: string; status: string }[], resources: number): string {
  const command = practice ? 'cloudspace practice' : 'cloudspace start';
  const left = chapters.filter(({ id, status }) => id !== 'login' && status !== 'done');
  if (left.length === 0) return 'cloudspace ssh controller; take it down with cloudspace destroy';
  return resources === 0 ? `${command} begins` : `${command} goes on at chapter "${left[0]?.id}"`;
}
