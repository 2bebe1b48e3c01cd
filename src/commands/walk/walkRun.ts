import { startRun } from '../../engine/apply.ts';
import type { Journal } from '../../engine/journal.ts';
import type { Run, RunOptions } from '../../engine/run.ts';
import type { Event, Play } from '../../engine/types.ts';
import type { Walk } from '../../steps/index.ts';
import type { Answers } from '../answers/answers.ts';
import { generateSecrets, type Session } from '../session/session.ts';
import type { DeploymentMapping } from '../settings/deploymentMapping.ts';
import { type ProvisionMore, provisioner } from './provision.ts';

export interface WalkRun {
  readonly list: Walk;
  readonly run: Run;
  /** runs one play by itself */
  readonly provision: (play: Play, more?: ProvisionMore) => Promise<void>;
}

/** What a run over the whole walk works with, once the login is through. */
export interface WalkPlace {
  readonly session: Session;
  readonly answers: Answers;
  /** the deployment repository, and how it is used */
  readonly deployment: string;
  readonly mapping: DeploymentMapping;
  readonly list: Walk;
  readonly journal: Journal;
}

interface WalkRunOptions extends WalkPlace {
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  /** has the lease in hand before anything is changed */
  readonly hold: () => Promise<void>;
  readonly unattended?: Pick<RunOptions, 'replacements' | 'byHand'>;
}

/** Discovers what is there and gives the run over the whole walk, with Ansible behind its plays unless the answers leave provisioning out. */
export async function openWalkRun(of: WalkRunOptions): Promise<WalkRun> {
  const { session, answers, deployment, mapping, list, journal, notify, signal, hold } = of;
  const practice = session.practice !== undefined;
  const run = await startRun({
    cloud: session.aws,
    name: session.name,
    resources: list.resources,
    chapterOf: list.chapterOf,
    journal,
    notify,
    signal,
    hold,
    pace: session.pace,
    durations: practice ? 1 / session.settings.speed : 1,
    secrets: (names) => generateSecrets(session, names),
    ...of.unattended,
    ...(answers.provision === 'ansible' ? { play: (play) => provision(play) } : {}),
  });
  const provision = provisioner({
    config: answers.config,
    dir: session.dir,
    deployment,
    mapping,
    aws: session.aws,
    journal,
    vault: session.vault,
    outputs: run.outputs,
    practice,
    reach: (address, port) => session.practice?.reach(address, port),
    pace: session.pace,
    notify,
    signal,
    hold,
  });
  return { list, run, provision };
}
