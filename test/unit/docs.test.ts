import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/index.ts';
import type { CommandSpec } from '../../src/commands/specs/spec.ts';

const root = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** Folders of this repository that documents name files in. */
const PLACES = ['bench', 'deployment', 'docs', 'examples', 'guide', 'src', 'test'];
const files = [
  ...readdirSync(root),
  ...PLACES.flatMap((place) =>
    readdirSync(join(root, place), { recursive: true, encoding: 'utf8' }).map((path) => join(place, path)),
  ),
];
const documents = files.filter((path) => path.endsWith('.md')).sort();

const commands = COMMANDS.flatMap((group) => group.commands);
const flagsOf = ({ options }: CommandSpec): string[] => [
  '--help',
  ...options.map(({ flags }) => flags.split(' ')[0] ?? ''),
];
const everyFlag = new Set(
  ['--version'].concat(
    (function all(some: readonly CommandSpec[]): string[] {
      return some.flatMap((one) => [...flagsOf(one), ...all(one.children ?? [])]);
    })(commands),
  ),
);

/** All code of a document: blocks by line, and spans. */
function codeOf(text: string): string[] {
  const code: string[] = [];
  const prose = text.replace(/^```\w*\n(.*?)^```/gms, (_, block: string) => {
    code.push(...block.replaceAll('\\\n', ' ').split('\n'));
    return '';
  });
  return [...code, ...[...prose.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span)];
}

/** What is wrong with the `cloudspace …` commands in a line of code. */
function commandProblems(code: string): string[] {
  return [...code.matchAll(/(?:^|\s|npx )cloudspace(?= |$)([^|;&>#)]*)/g)].flatMap(([, rest = '']) => {
    const words = rest.split(' -- ')[0]?.trim().split(/\s+/) ?? [];
    let spec = commands.find((one) => one.default);
    for (let among: readonly CommandSpec[] | undefined = commands; among; ) {
      const next: CommandSpec | undefined = among.find(({ name }) => name === words[0]);
      if (next) {
        spec = next;
        words.shift();
      } else if (among === commands && /^[a-z]/.test(words[0] ?? '') && words[0] !== 'help')
        return [`there is no command "cloudspace ${words[0]}"`];
      among = next?.children;
    }
    const known = spec ? flagsOf(spec) : [];
    return words
      .map((word) => /^\[?(--[a-z-]+)/.exec(word)?.[1])
      .flatMap((flag) =>
        flag === undefined || flag === '--version' || known.includes(flag)
          ? []
          : [`cloudspace ${spec?.name} has no ${flag}`],
      );
  });
}

/** Is it a file or folder of this repository? `*` stands for any part of a name. */
function exists(path: string): boolean {
  const pattern = new RegExp(`^${path.replace(/\/$/, '').replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
  return files.some((file) => pattern.test(file));
}

const isPath = (span: string): boolean =>
  /^[\w./*-]+$/.test(span) && PLACES.some((place) => span.startsWith(`${place}/`));

function problems(document: string, text: string): string[] {
  const code = codeOf(text);
  return [
    ...code.flatMap(commandProblems),
    ...code
      .map((span) => /^(--[a-z][a-z-]+)(?:[ =][^ ]+)?$/.exec(span)?.[1])
      .flatMap((flag) => (flag === undefined || everyFlag.has(flag) ? [] : [`no command has ${flag}`])),
    ...code
      .filter((span) => isPath(span) && !exists(span) && !exists(join(dirname(document), span)))
      .map((span) => `there is no ${span}`),
    ...code
      .filter((span) => /^[\w.-]+\.test\.ts$/.test(span) && !files.some((file) => basename(file) === span))
      .map((span) => `there is no test ${span}`),
    ...code
      .flatMap((span) => [...span.matchAll(/npm run (?:-s |--silent )?([\w:-]+)/g)].map(([, name = '']) => name))
      .filter((name) => scripts[name] === undefined)
      .map((name) => `there is no script ${name}`),
    ...[...text.matchAll(/\]\(([^)#\s]+)(?:#([^)]*))?\)/g)]
      .filter(([, to = '']) => !/^[a-z]+:/.test(to) && !existsSync(join(root, dirname(document), to)))
      .map(([, to]) => `its link to ${to} leads nowhere`),
  ];
}

it.each(documents)('%s names commands, flags, files and scripts that are there', (document) => {
  expect(problems(document, readFileSync(join(root, document), 'utf8'))).toEqual([]);
});

it('troubleshooting names codes that errors have', () => {
  const sources = files
    .filter((path) => path.startsWith('src/') && path.endsWith('.ts'))
    .map((path) => readFileSync(join(root, path), 'utf8'));
  const text = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8');
  const codes = [...text.matchAll(/^### (`.*)/gm)].flatMap(([, heading = '']) =>
    [...heading.matchAll(/`([A-Z][A-Za-z]+)`/g)].map(([, code = '']) => code),
  );
  expect(codes.length).toBeGreaterThan(30);
  expect(codes.filter((code) => !sources.some((source) => new RegExp(`\\b${code}(?:'|:)`).test(source)))).toEqual([]);
});

it('sees what is not there', () => {
  const wrong = [
    '`cloudspace fly`, `cloudspace destroy --until vpc`, `--fly-high` and `cloudspace practice serve --runners 3`',
    '```sh\nnpx cloudspace ssh bastion -- ls --all\nnpx cloudspace --upside-down  # a comment\nnpm run fly\n```',
    '`src/fly.ts`, `fly.test.ts` and [a page](fly.md)',
  ].join('\n\n');
  expect(problems('docs/fly.md', wrong).sort()).toEqual([
    'cloudspace destroy has no --until',
    'cloudspace serve has no --runners',
    'cloudspace start has no --upside-down',
    'its link to fly.md leads nowhere',
    'no command has --fly-high',
    'there is no command "cloudspace fly"',
    'there is no script fly',
    'there is no src/fly.ts',
    'there is no test fly.test.ts',
  ]);
});
