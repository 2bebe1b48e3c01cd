import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundle, type Terminal, terminal, tmuxMissing } from './uiTmux.ts';

describe.skipIf(tmuxMissing)(
  `the UI in a real terminal${tmuxMissing ? ' (skipped: tmux is not installed)' : ''}`,
  () => {
    let program: Awaited<ReturnType<typeof bundle>>;
    const open: Terminal[] = [];
    beforeAll(async () => {
      program = await bundle('test/terminal/uiDriver.ts');
    });
    afterAll(() => program.remove());
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });
    async function play(scene: string, options: Parameters<typeof terminal>[1] = {}): Promise<Terminal> {
      const one = await terminal(`"${process.execPath}" "${program.file}" ${scene}`, options);
      open.push(one);
      return one;
    }
    const last = (screen: string) =>
      screen
        .split('\n')
        .filter((line) => line.trim() !== '')
        .at(-1) ?? '';

    it('leads through a step with Enter alone; what goes on behind a question is shown after the answer', async () => {
      const tty = await play('walk');
      const first = await tty.until(/Enter to take/);
      expect(first).toMatch(/^── Chapter 1 of 6 · Virtual Private Cloud ─+ ●○○○○○ ──$/m);
      expect(first).toContain('… 1 more: choose details');
      await tty.keys('Enter');
      // The status line spins while nobody is asked …
      await tty.until(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] nat-gateway \ds of ~90s$/m);
      // … and is gone when somebody is.
      const asking = await tty.until(/Name of the bastion\? \(bastion\)/);
      expect(asking).not.toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
      expect(asking).toContain('(meanwhile: nat-gateway 1s of ~90s)');
      expect(asking).not.toContain('NAT gateway ready');
      await tty.keys('Enter');
      const answered = await tty.until(/NAT gateway ready/);
      expect(answered.indexOf('✔ Name of the bastion? bastion')).toBeLessThan(answered.indexOf('✔ NAT gateway ready'));
      await tty.keys('Enter');
      const end = await tty.until(/exit 0/);
      expect(end).toContain('│ made bastion: true │');
      // Nothing of the status line is left between the results.
      expect(end).not.toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
    });

    it('keys that were pressed while it worked answer no question', async () => {
      const tty = await play('walk');
      await tty.until(/Enter to take/);
      await tty.keys('Enter');
      await tty.until(/nat-gateway \ds of/);
      await tty.keys('n', 'o', 'Enter', 'Enter');
      const asking = await tty.until(/Name of the bastion\?/);
      expect(last(asking)).toBe('? Name of the bastion? (bastion)');
      await tty.keys('x', 'Enter');
      expect(await tty.until(/Make x\?/)).toContain('✔ Name of the bastion? x');
    });

    it('shows all commands on "details", and an answer that is not valid is explained', async () => {
      const tty = await play('walk');
      await tty.until(/Enter to take/);
      await tty.keys('Down');
      await tty.until(/every command whole/);
      await tty.keys('Enter');
      expect(await tty.until(/the same with the AWS command line[\s\S]*Enter to take/)).toContain(
        'aws ec2 create-route --destination-cidr-block 0.0.0.0/0',
      );
      await tty.keys('Enter');
      await tty.until(/Name of the bastion\?/);
      await tty.keys('7', 'Enter');
      // The gateway is ready by now, but a question is open.
      expect(await tty.until(/> "7" is not of the form/)).not.toContain('NAT gateway ready');
      await tty.keys('BSpace', 'b', 'Enter');
      expect(await tty.until(/Make b\?/)).toMatch(/✔ Name of the bastion\? b\n✔ NAT gateway ready/);
    });

    it.each([
      ['C-c', 'select', async (_: Terminal) => {}],
      ['C-d', 'select', async (_: Terminal) => {}],
      [
        'C-c',
        'input',
        async (tty: Terminal) => {
          await tty.keys('Enter');
          await tty.until(/Name of the bastion\?/);
        },
      ],
    ] as const)('%s at a question (%s) is answered at once, exit 130', async (key, _, go) => {
      const tty = await play('walk');
      await tty.until(/Enter to take/);
      await go(tty);
      await tty.keys(key);
      const end = await tty.until(/exit \d+/, 3);
      expect(last(end)).toBe('exit 130');
      expect(end).toContain('✖ interrupted at "');
      expect(end).toContain('the same command goes on from here');
    });

    it('Ctrl-C while it works reaches the program; the terminal is left in order', async () => {
      const tty = await play('work');
      await tty.until(/3 working: nat-gateway \d+s of ~90s, database \d+s of ~6m, image layer \d+/);
      await tty.keys('C-c');
      expect(last(await tty.until(/exit \d+/, 3))).toBe('exit 130');
      // The line discipline echoes again: raw mode is over.
      await tty.keys('echo', ' ', 'seen');
      await tty.until(/echo seen/);
    });

    it('at 40 columns nothing wraps and the status line stays one line', async () => {
      const tty = await play('walk', { columns: 40, rows: 40 });
      const screen = await tty.until(/Enter to take/);
      // The terminal would break a line in the middle of a word.
      expect(screen).toContain('10.7.0.0/16, so that two teams never\noverlap, and what is in it');
      expect(screen).toMatch(/^ {2}\+ {2}subnet-public-a {2}10\.7\.0\.0\/2.*…$/m);
      await tty.keys('Enter');
      const working = await tty.until(/nat-gateway \ds of/);
      expect(working.match(/nat-gateway \ds of/g)).toHaveLength(1);
      const long = await play('work', { columns: 40 });
      await long.until(/image layer 2|3 working: .*…/);
      const later = await long.until((now) => /nat-gateway [2-9]s/.test(now));
      expect(later.split('\n').filter((line) => line.includes('working'))).toHaveLength(1);
    });

    it('NO_COLOR: not one color, TERM=dumb: no cursor movement, C locale: ASCII', async () => {
      const plain = await play('walk', { env: { NO_COLOR: '1' } });
      await plain.until(/Enter to take/);
      expect(await plain.colored()).toBe(false);
      const colored = await play('walk');
      await colored.until(/Enter to take/);
      expect(await colored.colored()).toBe(true);

      const ascii = await play('walk', { env: { LANG: 'C' } });
      expect(await ascii.until(/Enter to take/)).toMatch(/^[\x20-\x7e\n]*$/);

      const dumb = await play('walk', { env: { TERM: 'dumb' } });
      await dumb.until(/What now\? \(1-3, default 1\)/);
      await dumb.keys('3', 'Enter');
      await dumb.until(/Name of the bastion\? \(bastion\)/);
      await dumb.keys('C-c');
      expect(last(await dumb.until(/exit \d+/, 3))).toBe('exit 130');
    });

    it('without a terminal on the other side: --yes runs through, else the flag is named, exit 2', async () => {
      const piped = await play('walk --yes < /dev/null | cat');
      expect(await piped.until(/exit \d/)).toContain('? Name of the bastion? bastion (--yes)');
      const asked = await play('ask < /dev/null');
      const end = await asked.until(/exit \d/);
      expect(last(end)).toBe('exit 2');
      expect(end).toContain('Answer it ahead with --region.');
      const json = await play('ask --json 2>/dev/null');
      expect((await json.until(/exit 2/)).trim().split('\n')[0]).toMatch(
        /^\{"at":"[^"]+","type":"error","code":"NoTerminal"/,
      );
    });
  },
);
