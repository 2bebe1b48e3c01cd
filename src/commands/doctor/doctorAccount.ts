import { CloudspaceError } from '../../engine/types.ts';
import { DEFAULTS } from '../../steps/config.ts';
import type { Context } from '../context.ts';
import { planned } from '../plan.ts';
import { lifeOf } from '../session/credentialsLife.ts';
import { locateExisting } from '../session/places.ts';
import { type Finding, preflight } from '../walk/preflight.ts';
import { type Permission, permissionLines, permissionsFor } from './permissions.ts';

/** What the account says to what is to come; only `reason` when it could not be asked. */
export interface AccountReport {
  readonly reason?: string;
  readonly name?: string;
  readonly account?: string;
  readonly region?: string;
  /** ARN of who you are */
  readonly identity?: string;
  /** ISO time; null: they do not end, or do not say */
  readonly credentialsUntil?: string | null;
  readonly life?: string | undefined;
  readonly findings?: readonly Finding[];
  readonly permissions?: readonly Permission[];
}

/** Looks at the AWS account, reads only. Without credentials or a region that is a reason, no error: practice needs neither. */
export async function lookAtAccount(context: Context): Promise<AccountReport> {
  const { options } = context;
  try {
    const existing = await locateExisting(context).catch(() => undefined);
    const name = options.name ?? (existing?.state.practice === false ? existing.name : DEFAULTS.name);
    const { resolveRegion } = await import('../../aws/credentials.ts');
    const region =
      (await resolveRegion(options))?.value ?? (existing?.name === name ? existing.state.region : undefined);
    if (region === undefined) return { reason: 'no region is set: give one with --region or AWS_REGION' };
    // Nothing is asked, and the bastion's door plays no part here.
    const asked = { ...options, name, region, yes: true, sshFrom: options.sshFrom ?? '192.0.2.1/32' };
    return await planned(
      { ...context, options: asked },
      { practice: false, command: 'doctor' },
      async (session, { config }, { resources }, { outputs }): Promise<AccountReport> => {
        const missing = resources.filter(({ key }) => !outputs.has(key));
        return {
          ...{ name, account: session.account, region: session.region, identity: session.identity },
          credentialsUntil: session.credentials.expiration()?.toISOString() ?? null,
          life: lifeOf(session.credentials),
          findings: await preflight({ aws: session.aws, config, resources, missing }),
          ...(options.checkPermissions
            ? { permissions: await permissionsFor(session, resources, outputs, context.signal) }
            : {}),
        };
      },
    );
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof CloudspaceError)) throw error;
    return { reason: error.message };
  }
}

/** The report for people. */
export function accountText({ reason, findings = [], permissions, ...of }: AccountReport): string {
  if (reason !== undefined) return `The AWS account was not looked at: ${reason}.`;
  const marks = { ok: 'ok', warning: '(warning)', blocking: 'blocking', unknown: '(unknown)' } as const;
  return [
    `**${of.name}** in account ${of.account}, ${of.region}; you are \`${of.identity}\`${of.life === undefined ? '' : `, ${of.life}`}.`,
    '',
    '| Status | What | Found |',
    '|---|---|---|',
    ...findings.map(({ status, title, detail, quota }) => {
      const short = quota ? `${quota.used} of ${quota.limit} used, ${quota.needed} more to come` : detail;
      return `| ${marks[status]} | ${title} | ${short.replaceAll('|', '/')} |`;
    }),
    ...findings
      .filter(({ status }) => status !== 'ok')
      .flatMap(({ title, detail, quota }) => ['', quota ? detail : `**${title}**: ${detail}`]),
    ...(permissions === undefined
      ? []
      : ['', "Permissions, by EC2's dry runs (advice, no promise):", ...permissionLines(permissions)]),
  ].join('\n');
}
