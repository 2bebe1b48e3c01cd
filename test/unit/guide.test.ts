import { expect, it } from 'vitest';
import { guideSection, sectionOf } from '../../src/guide.ts';
import { GUIDE } from '../../src/steps/index.ts';

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
});

it('under the title: the introduction alone', () => {
  expect(sectionOf(text, 'Title')).toBe('Intro.');
});

it('knows no heading that is not there', () => {
  expect(sectionOf(text, 'Three')).toBeUndefined();
  expect(sectionOf(text, 'Two is a comment here')).toBeUndefined();
  expect(sectionOf(text, 'one')).toBeUndefined();
});

it.each(GUIDE.map((chapter) => [chapter.id, chapter] as const))(
  'has the prose of chapter %s and of each of its steps',
  async (_, chapter) => {
    expect((await guideSection(chapter.guide, chapter.title)).length).toBeGreaterThan(0);
    for (const step of chapter.steps)
      expect((await guideSection(chapter.guide, step.guide)).length, step.guide).toBeGreaterThan(0);
  },
);

it('names the file and the heading that are missing', async () => {
  await expect(guideSection('1-vpc.md', 'No such heading')).rejects.toThrow(
    'guide/1-vpc.md has no heading "No such heading"',
  );
  await expect(guideSection('nowhere.md', 'X')).rejects.toThrow(/nowhere\.md/);
});
