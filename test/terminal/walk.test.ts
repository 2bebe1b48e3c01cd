import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder } from '../support/cli.ts';
import { terminalOf, tmuxMissing } from './wizardTmux.ts';

/** The walkthrough as a person sees it: the built command line in a pseudo-terminal of 80×24, driven by keys, read by polling the screen. */
const terminal = (dir: string, args: string) => terminalOf(args, { cwd: dir });

describe.skipIf(tmuxMissing)('the walkthrough in a terminal', () => {
  it('goes the whole way with Enter alone, and fits 80 columns', async () => {
    const dir = folder();
    const one = terminal(dir, 'practice --hosts none --speed 600');
    const end = await one.enterUntil(/exit code \d+/);
    expect(end).toMatch(/exit code 0/);
    expect(end).toMatch(/all chapters are done/);
    // Each step of a first walk has something to do, and says what.
    expect(one.history()).not.toMatch(/done already\. Go on/);
    expect(one.history()).toMatch(/\+ {2}services_fernet_key +secret/);
    const state = JSON.parse(readFileSync(join(dir, '.cloudspace/practice-01/state.json'), 'utf8'));
    expect(Object.values(state.chapters)).toEqual(Array(7).fill('done'));
  }, 240_000);

  it('save and quit, then go on at the same step; back; details; skip says what it means', async () => {
    const dir = folder();
    const one = terminal(dir, 'practice --hosts none --speed 600');
    await one.enterUntil(/The internet gateway: do this step\?/);
    one.keys('Down', 'Down', 'Down', 'Down', 'Down', 'Enter');
    expect(await one.until(/exit code \d/)).toMatch(/exit code 0/);

    const two = terminal(dir, 'practice --hosts none --speed 600');
    await two.until(/The internet gateway: do this step\?/);
    two.keys('Down', 'Down', 'Enter');
    // The equal commands are there before, cut: only details have this line.
    await two.until(/the same with the AWS command line[\s\S]*do this step\?/);
    two.keys('Down', 'Down', 'Down', 'Down', 'Enter');
    await two.until(/Subnets in two zones: done already\. Go on\?/);
    two.keys('Enter');
    await two.until(/The internet gateway: do this step\?/);
    two.keys('Down', 'Down', 'Down', 'Enter');
    await two.until(/The NAT gateway: do this step\?/);
    two.keys('Enter');
    const blocked = await two.until(/The NAT gateway: what now\?/);
    expect(blocked.replaceAll(/\s+/g, ' ')).toMatch(/needs internet-gateway-attachment, which is not there/);
  }, 240_000);

  it('Ctrl-C at a question leaves at once with 130, and the next run goes on there', async () => {
    const dir = folder();
    const one = terminal(dir, 'practice --hosts none --speed 600');
    await one.until(/In which account do you work\?/);
    expect(one.history()).toMatch(
      /Every request to AWS is signed[\s\S]*\n\nRegion and name\n\n[\s\S]*\n\nWho you are\n\n/,
    );
    await one.enterUntil(/Subnets in two zones: do this step\?/);
    one.keys('C-c');
    expect(await one.until(/exit code \d/)).toMatch(/exit code 130/);
    expect(existsSync(join(dir, '.cloudspace/practice-01/lock'))).toBe(false);
    const two = terminal(dir, 'practice --hosts none --speed 600');
    await two.until(/Subnets in two zones: do this step\?/);
    // What was read once is not told again.
    expect(two.history()).not.toMatch(/Every request to AWS is signed|Region and name/);
  }, 240_000);

  it('Ctrl-C while something is awaited leaves with 130', async () => {
    const dir = folder();
    const one = terminal(dir, 'practice --yes --hosts none --speed 1');
    await one.until(/nat-gateway/);
    one.keys('C-c');
    expect(await one.until(/exit code \d+/)).toMatch(/exit code 130/);
    const two = terminal(dir, 'practice --yes --hosts none --speed 1000');
    expect(await two.until(/exit code \d+/)).toMatch(/exit code 0/);
  }, 240_000);
});
