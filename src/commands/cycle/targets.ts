import { setTimeout as sleep } from 'node:timers/promises';
import { DeregisterTargetsCommand, DescribeTargetHealthCommand } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CloudspaceError, type Output } from '../../engine/types.ts';
import { PORTS } from '../../steps/ingress.ts';
import type { Session } from '../session/session.ts';

/** Seconds until a new target has to be healthy: three checks at an interval of 10 s, and the time its host needs (the guide's chapter 5). */
const HEALTHY_SECONDS = 600;
/** Seconds until a target has to have left: the target group's deregistration delay is 300 s by default. */
const LEAVING_SECONDS = 900;

type Look = Pick<Session, 'aws' | 'pace'>;

const targetGroups = (outputs: ReadonlyMap<string, Output>): string[] =>
  PORTS.flatMap(({ protocol }) => outputs.get(`target-group-${protocol}`)?.id ?? []);

/** A target's state in each group, as the load balancer says it; `unused` where it is not registered. */
async function healthOf({ aws }: Look, groups: readonly string[], instanceId: string): Promise<string[]> {
  const answers = await Promise.all(
    groups.map((TargetGroupArn) =>
      aws.elb.send(new DescribeTargetHealthCommand({ TargetGroupArn, Targets: [{ Id: instanceId }] })),
    ),
  );
  return answers.map(({ TargetHealthDescriptions: [one] = [] }) => one?.TargetHealth?.State ?? 'unused');
}

/** Waits until the load balancer sends traffic to an instance in all groups. Throws CloudspaceError `NotHealthy`. */
export async function untilHealthy(
  look: Look,
  outputs: ReadonlyMap<string, Output>,
  instanceId: string,
  signal: AbortSignal,
): Promise<void> {
  await untilAll('healthy', look, targetGroups(outputs), instanceId, HEALTHY_SECONDS, signal);
}

/** Takes an instance out of all groups and waits until its connections have ended, or the groups' delay is over. */
export async function deregister(
  look: Look,
  outputs: ReadonlyMap<string, Output>,
  instanceId: string,
  signal: AbortSignal,
): Promise<void> {
  const groups = targetGroups(outputs);
  const registered = await healthOf(look, groups, instanceId);
  await Promise.all(
    groups
      .filter((_, index) => !['unused', 'draining'].includes(registered[index] ?? ''))
      .map((TargetGroupArn) =>
        look.aws.elb.send(new DeregisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: instanceId }] }), {
          abortSignal: signal,
        }),
      ),
  );
  await untilAll('unused', look, groups, instanceId, LEAVING_SECONDS, signal);
}

/** Waits until an instance is in one state in all groups. */
async function untilAll(
  wanted: 'healthy' | 'unused',
  look: Look,
  groups: readonly string[],
  instanceId: string,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  const { pace } = look;
  const end = Date.now() + Math.max(120_000, seconds * 1000 * pace);
  for (let wait = 2; ; wait = Math.min(15, wait * 1.3)) {
    const states = await healthOf(look, groups, instanceId);
    if (states.every((state) => state === wanted)) return;
    if (Date.now() > end)
      throw new CloudspaceError(
        `the load balancer's targets are not as they should be: ${instanceId} is ${states.join(', ')}`,
        {
          code: 'NotHealthy',
          hint: 'see which layer is broken: cloudspace check ingress; then run the same command again',
        },
      );
    await sleep(Math.max(500, wait * 1000 * pace), undefined, { signal });
  }
}
