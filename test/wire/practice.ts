import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { RDSClient } from '@aws-sdk/client-rds';
import { STSClient } from '@aws-sdk/client-sts';
import { startPractice } from '../../src/practice/index.ts';
import type { Practice, PracticeOptions } from '../../src/practice/types.ts';

/** A practice cloud in a new folder, and unmodified SDK clients that talk to it. */
export interface Bench {
  readonly practice: Practice;
  readonly dir: string;
  readonly ec2: EC2Client;
  readonly elb: ElasticLoadBalancingV2Client;
  readonly rds: RDSClient;
  readonly sts: STSClient;
  /** stops it and removes its folder */
  end(): Promise<void>;
}

export async function bench(options: Partial<PracticeOptions> = {}): Promise<Bench> {
  // One folder deeper than the temporary one: making it is the practice cloud's own work.
  const top = mkdtempSync(join(tmpdir(), 'practice-'));
  const dir = options.dir ?? join(top, 'cloud');
  const practice = await startPractice({ speed: Number.POSITIVE_INFINITY, ...options, dir });
  const settings = {
    endpoint: practice.endpoint,
    region: 'eu-central-1',
    credentials: practice.credentials,
    maxAttempts: 1,
  };
  const clients = {
    ec2: new EC2Client(settings),
    elb: new ElasticLoadBalancingV2Client(settings),
    rds: new RDSClient(settings),
    sts: new STSClient(settings),
  };
  return {
    practice,
    dir,
    ...clients,
    async end() {
      for (const client of Object.values(clients)) client.destroy();
      await practice.close();
      rmSync(top, { recursive: true, force: true });
    },
  };
}

/** The error code of a promise that must fail; throws when it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { Code, name } = error as { Code?: string; name: string };
    return Code ?? name;
  }
  throw new Error('the request succeeded where an error was expected');
}
