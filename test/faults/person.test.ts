/** What the person sees of each fault: the text of an unattended walk, and how it ends. Practice without hosts, waits for nothing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { cli, folder, PUBLIC_KEY } from '../support/cli.ts';

// Each is one or two whole walks: a slow machine is no failure.
vi.setConfig({ testTimeout: 600_000 });

/** A practice of its own: `run` gives the exit code and the text on one line. */
function practice() {
  const dir = folder();
  const key = join(dir, 'key.pub');
  writeFileSync(key, `${PUBLIC_KEY}\n`);
  const base = ['--yes', '--hosts', 'none', '--speed', 'Infinity', '--state-dir', join(dir, 'state')];
  const walk = ['--provision', 'skip', '--ssh-public-key', key, '--ssh-from', '198.51.100.7/32'];
  return async (command: 'practice' | 'destroy', ...faults: string[]) => {
    const more = command === 'practice' ? walk : ['--practice', '--name', 'practice-01'];
    const { code, stdout, stderr } = await cli([
      command,
      ...base,
      ...more,
      ...faults.flatMap((rule) => ['--fault', rule]),
    ]);
    return { code, text: `${stdout}${stderr}`.replaceAll(/[\s│]+/g, ' ') };
  };
}

describe('goes on by itself', () => {
  it.each([
    ['too many requests', ['RunInstances:throttle=3', 'Describe*:throttle=2']],
    ['server errors of reads', ['read#4:status=500', 'read#9:status=503', 'read#12:drop']],
    ['a server error, before or after the effect', ['CreateVpc:status=500', 'CreateInternetGateway:status=503,after']],
    ['a broken connection before and after the effect', ['CreateSubnet:drop', 'AllocateAddress:drop,after']],
    ['no answer, before and after the effect', ['CreateSubnet:timeout=50ms', 'CreateTargetGroup:timeout=50ms,after']],
    ['a batch whose answer is lost', ['RunInstances#2:drop,after', 'RunInstances#4:drop']],
    ['late answers', ['*:latency=5ms']],
    ['an id that is not known everywhere yet', ['CreateSubnet:error=InvalidVpcID.NotFound']],
    ['credentials that end in the middle', ['CreateSecurityGroup:error=ExpiredToken']],
  ])('%s', async (_, faults) => {
    const run = practice();
    const { code, text } = await run('practice', ...faults);
    expect([code, text]).toEqual([0, expect.stringMatching(/all chapters are done/)]);
  });

  it('listings that lag behind', async () => {
    const run = practice();
    // Speed Infinity waits for nothing: what is waited for has to be behind by less than the looks take.
    const { code, text } = await run('practice', 'Describe*:stale=20ms');
    expect([code, text]).toEqual([0, expect.stringMatching(/all chapters are done/)]);
  });

  it.each([
    ['CreateNatGateway:state=failed', /nat-\w+ failed: Network interface eni-\w+.* invalid state/],
    ['RunInstances:boot=fail', /Server\.InternalError: Internal error on launch/],
    ['CreateDBInstance:state=failed', /the database is failed/],
  ])('%s: says why, makes another one, and the next run changes nothing', async (fault, says) => {
    const run = practice();
    const first = await run('practice', fault);
    expect([first.code, first.text]).toEqual([0, expect.stringMatching(says)]);
    const again = await run('practice', 'mutation:error=UnauthorizedOperation,times=all');
    expect([again.code, again.text]).toEqual([0, expect.stringMatching(/all chapters are done/)]);
  });

  it('a teardown that AWS puts off, and whose answers are lost', async () => {
    const run = practice();
    expect((await run('practice')).code).toBe(0);
    const { code, text } = await run(
      'destroy',
      'DeleteSubnet:error=DependencyViolation',
      'DeleteVpc:error=DependencyViolation,times=2',
      'TerminateInstances:drop,after',
      'DeleteNatGateway:status=500,after',
      'ReleaseAddress:throttle=2',
    );
    expect([code, text]).toEqual([0, expect.stringMatching(/Nothing is left/)]);
  });
});

describe('ends with what happened, why, and what to do; and goes on when that is done', () => {
  it.each([
    ['CreateVpc:error=VpcLimitExceeded', /quota of VPCs.*VpcLimitExceeded.*L-F678F1CE/],
    ['AllocateAddress#2:error=AddressLimitExceeded', /quota of Elastic IPs.*AddressLimitExceeded/],
    ['RunInstances:error=InsufficientInstanceCapacity', /no free machine of this type.*--instance-type/],
    ['CreateTargetGroup:error=UnauthorizedOperation', /not allowed to do this.*administrator/],
    ['CreateVpc:drop,times=all', /CreateVpc was sent but its outcome is not known.*Run the command again/],
  ])('%s', async (fault, says) => {
    const run = practice();
    const first = await run('practice', fault);
    expect([first.code, first.text]).toEqual([1, expect.stringMatching(says)]);
    const again = await run('practice');
    expect([again.code, again.text]).toEqual([0, expect.stringMatching(/all chapters are done/)]);
  });

  it('a database that stays `creating`: says so in the end, and does not wait for ever', async () => {
    const run = practice();
    const first = await run('practice', 'CreateDBInstance:state=creating');
    expect([first.code, first.text]).toEqual([
      1,
      expect.stringMatching(/practice-01-database is not ready after \d+ seconds.*go on waiting.*console/),
    ]);
    const gone = await run('destroy');
    expect([gone.code, gone.text]).toEqual([0, expect.stringMatching(/Nothing is left/)]);
  });

  it('says it to machines too, with the code', async () => {
    const dir = folder();
    writeFileSync(join(dir, 'key.pub'), `${PUBLIC_KEY}\n`);
    const { code, stdout } = await cli(
      ['practice', '--yes', '--hosts', 'none', '--speed', 'Infinity', '--provision', 'skip', '--json'].concat([
        '--state-dir',
        dir,
        '--ssh-from',
        '198.51.100.7/32',
        '--fault',
        'CreateVpc:error=VpcLimitExceeded',
      ]),
    );
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(1);
    expect(events.filter(({ type }) => type === 'error').at(-1)).toMatchObject({
      code: 'QuotaExceeded',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      hint: expect.stringMatching(/VPCs per Region.*L-F678F1CE/s),
    });
  });
});
