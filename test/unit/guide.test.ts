import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { guideSection, sectionOf } from '../../src/guide.ts';

const text = `# Title

Intro.

## One ##

First.

\`\`\`sh
## Two is a comment here
\`\`\`

### Inner

Belongs to One.

## Two

Second.
`;

it('takes a section up to the next heading of its level, with what is below it', () => {
  expect(sectionOf(text, 'One')).toBe('First.\n\n```sh\n## Two is a comment here\n```\n\n### Inner\n\nBelongs to One.');
  expect(sectionOf(text, 'Inner')).toBe('Belongs to One.');
  expect(sectionOf(text, 'Two')).toBe('Second.');
  expect(sectionOf(text.replaceAll('\n', '\r\n'), 'Two')).toBe('Second.');
  expect(sectionOf(text, 'Title')).toContain('Second.');
});

it('knows no heading that is not there', () => {
  expect(sectionOf(text, 'Three')).toBeUndefined();
  expect(sectionOf(text, 'Two is a comment here')).toBeUndefined();
  expect(sectionOf(text, 'one')).toBeUndefined();
});

it('finds every section of the real guide, none of them empty', async () => {
  const folder = join(import.meta.dirname, '../../guide');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.md'));
  expect(files.length).toBeGreaterThanOrEqual(7);
  for (const file of files) {
    const source = await readFile(join(folder, file), 'utf8');
    const headings = [...source.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^## (.*)$/gm)].map(
      (match) => match[1] ?? '',
    );
    for (const heading of headings)
      expect((await guideSection(file, heading)).length, `${file}: ${heading}`).toBeGreaterThan(0);
  }
});

it('names the file and the heading that are missing', async () => {
  await expect(guideSection('1-vpc.md', 'No such heading')).rejects.toThrow(
    'guide/1-vpc.md has no heading "No such heading"',
  );
  await expect(guideSection('nowhere.md', 'X')).rejects.toThrow(/nowhere\.md/);
});
