import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/engine/types.ts';
import type { Look } from '../../src/ui/look.ts';
import { renderer } from '../../src/ui/render.ts';
import { width } from '../../src/ui/text.ts';
import { type Of, play, resource, task } from '../support/events.ts';

const show = (events: readonly Event[], more: Partial<Look> & { live?: boolean } = {}): string => {
  const { live = true, ...look } = more;
  const render = renderer(() => ({ color: false, unicode: true, columns: 80, ...look }), { live });
  return [...events.flatMap((event) => render.lines(event)), ...render.flush()].join('\n');
};
const chapter: Of<'chapter'> = {
  type: 'chapter',
  chapter: 'bastion',
  title: 'SSH bastion',
  index: 2,
  of: 6,
  status: 'started',
};
const step: Of<'step'> = {
  type: 'step',
  chapter: 'bastion',
  step: 'security-group',
  title: 'A door with one guest',
  index: 1,
  of: 3,
  guide:
    'Only **your own** address may knock: `22/tcp` from a `/32`. Everybody else gets no answer at all.\n\n- one door\n- one key',
  makes: [
    { key: 'sg-bastion', label: 'security group', summary: 'in vpc', action: 'create' },
    { key: 'vpc', label: 'VPC', summary: '10.7.0.0/16', action: 'keep' },
    { key: 'bastion', label: 'play', summary: 'base.yml on bastion', action: 'run' },
  ],
  usdPerHour: 0.0134,
  commands: [
    'aws ec2 create-security-group --group-name hackathon-07-bastion --description "SSH from outside" --vpc-id $(vpc)',
    'aws ec2 authorize-security-group-ingress --group-id $(sg-bastion)',
    'aws ec2 run-instances',
    'aws ec2 associate-address',
  ],
};

describe('at 80 columns', () => {
  it('a chapter shows where we are', () => {
    expect(show([chapter])).toBe('\n── Chapter 2 of 6 · SSH bastion ────────────────────────────────────── ●●○○○○ ──');
    expect(show([{ ...chapter, index: 0, title: 'Login' }])).toMatch(/^\n── Prelude · Login ─+ ○○○○○○ ──$/);
    expect(show([{ ...chapter, status: 'done' }])).toBe('\n✔ Chapter 2 of 6 · SSH bastion');
    expect(show([{ ...chapter, status: 'skipped' }])).toBe('– Chapter 2 of 6 · SSH bastion (skipped)');
  });

  it('a step: prose, what it makes, what that costs, the first commands', () => {
    expect(show([step])).toBe(`
Step 1 of 3 · A door with one guest

Only your own address may knock: \`22/tcp\` from a \`/32\`. Everybody else gets no
answer at all.

  • one door
  • one key

  +  sg-bastion  security group  in vpc
  =  vpc         VPC             10.7.0.0/16
  >  bastion     play            base.yml on bastion

  + create = keep > run · costs $0.0134 an hour, $9.78 a month

  $ aws ec2 create-security-group --group-name hackathon-07-bastion --descript…
  $ aws ec2 authorize-security-group-ingress --group-id $(sg-bastion)
  $ aws ec2 run-instances
  … 1 more: choose details
`);
  });

  it('a step that makes nothing says no more than its prose', () => {
    expect(show([{ ...step, guide: 'Read this.', makes: [], commands: [], usdPerHour: 0 }])).toBe(
      '\nStep 1 of 3 · A door with one guest\n\nRead this.\n',
    );
    expect(show([{ ...step, usdPerHour: 0 }])).toContain('costs nothing');
    expect(show([{ ...step, commands: ['aws sts get-caller-identity'] }])).not.toContain('details');
  });

  it('details: all commands, whole, to be pasted', () => {
    const text = show([{ ...step, details: true }]);
    expect(text).toContain(
      [
        '  aws ec2 create-security-group --group-name hackathon-07-bastion \\',
        '      --description "SSH from outside" --vpc-id $(vpc)',
      ].join('\n'),
    );
    expect(text).toContain('  aws ec2 associate-address');
    expect(text).not.toContain('knock');
  });

  it('prose below a heading is for those who ask for details', () => {
    const long = { ...step, guide: `${step.guide}\n\n\`\`\`\n# no heading\n\`\`\`\n\n### More\n\nThe long story.` };
    expect(show([long])).toContain('    # no heading\n\n(more about this: choose details)\n');
    expect(show([long])).not.toContain('long story');
    expect(show([{ ...long, details: true }])).toMatch(
      /^\nMore\n\nThe long story\.\n\nA door with one guest: the same with/,
    );
    expect(show([{ ...step, guide: '', commands: [], details: true }])).toBe('There is no more to show.');
  });

  it('resources: results with id and seconds', () => {
    const events = [
      resource('creating', { typicalSeconds: 90 }),
      resource('created', { id: 'nat-1', seconds: 0.61 }),
      resource('waiting', { typicalSeconds: 90 }),
      resource('ready', { id: 'nat-1', seconds: 93 }),
      resource('updated', { key: 'vpc', label: 'VPC', detail: 'DNS host names on' }),
      resource('deleting', { key: 'eip' }),
      resource('deleted', { key: 'eip', label: 'Elastic IP', id: 'eipalloc-1', seconds: 0.2 }),
      resource('failed', { key: 'database', label: 'database', detail: 'quota of 40 instances reached\nask for more' }),
      resource('skipped', { key: 'dns', label: 'DNS record', detail: 'no domain' }),
    ];
    expect(show(events)).toBe(
      [
        '✔ NAT gateway nat-gateway nat-1 0.6s',
        '✔ NAT gateway ready nat-gateway nat-1 1m33s',
        '✔ VPC changed vpc DNS host names on',
        '✔ Elastic IP deleted eip eipalloc-1 0.2s',
        '✖ database failed database',
        '    quota of 40 instances reached',
        '    ask for more',
        '– DNS record skipped dns no domain',
      ].join('\n'),
    );
  });

  it('"ready" right after "created" says nothing new', () => {
    expect(show([resource('created', { id: 'nat-1' }), resource('ready', { id: 'nat-1' })])).toBe(
      '✔ NAT gateway nat-gateway nat-1',
    );
  });

  it('what is kept is told in one line, before what comes next', () => {
    const kept = ['vpc', 'subnet-public-a', 'subnet-public-b'].map((key) => resource('kept', { key }));
    expect(show([...kept, play('kept'), resource('created', { id: 'nat-1' }), resource('kept', { key: 'eip' })])).toBe(
      [
        '= 4 there already · vpc, subnet-public-a, subnet-public-b, Set up the bastion',
        '✔ NAT gateway nat-gateway nat-1',
        '= there already · eip',
      ].join('\n'),
    );
    const many = Array.from({ length: 40 }, (_, index) => resource('kept', { key: `resource-${index}` }));
    expect(width(show(many))).toBeLessThan(80);
  });

  it('plays and their tasks: only results and failures', () => {
    const events = [
      play('started'),
      task('started'),
      task('changed'),
      task('failed', { message: 'No package matching "ngnix"\nis available' }),
      task('unreachable', { host: 'runner-1', message: 'ssh: timed out' }),
      play('failed', { seconds: 65, log: '/home/ada/.cloudspace/hackathon-07/log/bastion.log' }),
      play('done', { seconds: 42, summary: '7 changed, 8 as they should be' }),
      play('skipped'),
    ];
    expect(show(events)).toBe(
      [
        '✖ bastion · install packages',
        '    No package matching "ngnix"',
        '    is available',
        '✖ runner-1 · install packages (host unreachable)',
        '    ssh: timed out',
        '✖ Set up the bastion failed bastion · 1m05s',
        '    full log: /home/ada/.cloudspace/hackathon-07/log/bastion.log',
        '✔ Set up the bastion bastion · 7 changed, 8 as they should be · 42s',
        '– Set up the bastion (skipped) bastion',
      ].join('\n'),
    );
  });

  it('checks, progress, notes', () => {
    const check = { type: 'check', key: 'ssh', title: 'SSH through the bastion' } as const;
    const events: Event[] = [
      { ...check, status: 'started' },
      { ...check, status: 'passed', detail: 'in 0.4 s' },
      { ...check, status: 'failed', detail: 'connection refused', hint: 'Is port 22 open? `cloudspace doctor`' },
      { ...check, status: 'skipped', detail: 'no hosts' },
      { type: 'progress', key: 'image', text: 'building the image', status: 'started' },
      { type: 'progress', key: 'image', text: 'built the image', status: 'done' },
      { type: 'progress', key: 'image', text: 'image: no space', status: 'failed' },
      { type: 'warning', text: 'credentials end in 4 minutes' },
      { type: 'info', text: 'See **this**:\n\n- one' },
      { type: 'step.done', chapter: 'vpc', step: 'network', status: 'done' },
      { type: 'step.done', chapter: 'vpc', step: 'network', status: 'skipped' },
    ];
    expect(show(events)).toBe(
      [
        '✔ SSH through the bastion in 0.4 s',
        '✖ SSH through the bastion connection refused',
        '  → Is port 22 open? `cloudspace doctor`',
        '– SSH through the bastion no hosts',
        '✔ built the image',
        '✖ image: no space',
        '⚠ credentials end in 4 minutes',
        'See this:',
        '',
        '  • one',
        '– network skipped',
      ].join('\n'),
    );
  });

  it('a summary stands in a box', () => {
    expect(show([{ type: 'summary', text: 'All 6 chapters done.\n\nNext: `cloudspace status` 日本' }])).toBe(
      [
        '',
        '╭────────────────────────────────╮',
        '│ All 6 chapters done.           │',
        '│                                │',
        '│ Next: `cloudspace status` 日本 │',
        '╰────────────────────────────────╯',
      ].join('\n'),
    );
  });
});

it('without a live line the starts of long things are said', () => {
  const events = [resource('creating'), resource('waiting', { typicalSeconds: 360 }), play('started'), task('started')];
  expect(show(events, { live: false })).toBe(
    '· NAT gateway nat-gateway: waiting until it is ready, takes ~6m\n· Set up the bastion bastion',
  );
  expect(show(events)).toBe('');
});

it('colors: red for what failed, dim for what is beside the point', () => {
  expect(show([resource('failed')], { color: true })).toBe(
    '\u001b[31m✖\u001b[39m NAT gateway failed \u001b[2mnat-gateway\u001b[22m',
  );
  expect(show([resource('created', { id: 'nat-1' })], { color: true })).toBe(
    '\u001b[32m✔\u001b[39m NAT gateway \u001b[2mnat-gateway nat-1\u001b[22m',
  );
  expect(show([{ ...chapter, status: 'done' }], { color: true })).toBe(
    '\n\u001b[32m✔\u001b[39m Chapter 2 of 6 · SSH bastion',
  );
});

const everything: Event[] = [
  chapter,
  step,
  resource('created', { id: 'nat-0123456789abcdef0', seconds: 0.6 }),
  resource('failed', { detail: 'the limit of five Elastic IPs in this region is reached' }),
  play('done', { seconds: 42, summary: '7 changed, 8 as they should be' }),
  task('failed', { message: 'No package matching this name is available anywhere' }),
  { type: 'warning', text: 'the credentials end in 4 minutes, which is sooner than this chapter' },
  {
    type: 'error',
    code: 'VpcLimitExceeded',
    message: 'five VPCs are there already',
    hint: 'Delete one.',
    requestId: '1-2-3',
  },
  { type: 'summary', text: 'All chapters are done, and the application answers.' },
];

it.each([30, 40, 80, 100, 200])('nothing is wider than %i columns, and only commands than 100', (columns) => {
  for (const line of show(everything, { columns }).split('\n'))
    expect(width(line), line).toBeLessThanOrEqual(line.startsWith('  $') ? columns : Math.min(columns, 100));
});

it('color changes no width and no words', () => {
  // Without color code keeps its backticks; nothing else differs.
  const words = (text: string) => stripVTControlCharacters(text).replaceAll('`', '').replace(/\s+/g, ' ');
  expect(words(show(everything, { color: true }))).toBe(words(show(everything)));
});

it('is ASCII where the locale is not UTF-8', () => {
  expect(show(everything, { unicode: false })).toMatch(/^[\x20-\x7e\n]*$/);
});

it('lets no escape sequence of a host or an API through', () => {
  const evil = '\u001b[2J\u001b]0;owned\u0007text\u009b31m';
  const text = show([
    resource('failed', { detail: evil }),
    task('failed', { task: evil, message: evil }),
    { type: 'error', code: 'X', message: evil, hint: evil },
    { type: 'check', key: 'a', title: 'A', status: 'failed', detail: evil },
    { type: 'progress', key: 'a', text: evil, status: 'failed' },
  ]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(text).toContain('text');
});
