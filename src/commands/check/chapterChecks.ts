import { firstBroken, runChecks } from '../../checks/run.ts';
import { CHAPTERS, type ChapterId, type Ui } from '../../engine/types.ts';
import { summaryOf } from '../check.ts';
import { type Checked, questionsOf } from './checkQuestions.ts';

/** Seconds that the last look at everything waits for what is still on its way: AWS's health checks need three answers, ten seconds apart. */
const LAST_PATIENCE = 180;

/** Seconds for one chapter: what was provisioned a moment ago may still be starting. */
const CHAPTER_PATIENCE = 45;

/** Looks at what a chapter was to bring about. True when nothing is broken; what is still on its way does not count. */
export async function checkChapterDone(checked: Checked, chapter: ChapterId, ui: Ui): Promise<boolean> {
  // Nobody sits through a database here: only what failed is asked again.
  const patience = { seconds: CHAPTER_PATIENCE, failuresOnly: true, signal: checked.signal };
  const results = await runChecks(await questionsOf(checked), [chapter], (event) => ui.notify(event), patience);
  const broken = firstBroken(results);
  if (broken)
    ui.notify({
      type: 'warning',
      text: `Something of this chapter is not as it should be; \`cloudspace check ${chapter}\` looks again.`,
    });
  return broken === undefined;
}

/** Looks at the whole chain, with patience, when everything is made. */
export async function checkEverything(checked: Checked, ui: Ui): Promise<boolean> {
  const { signal } = checked;
  const patience = { seconds: LAST_PATIENCE, signal };
  const results = await runChecks(await questionsOf(checked), CHAPTERS, (event) => ui.notify(event), patience);
  const broken = firstBroken(results);
  if (broken) ui.notify({ type: 'warning', text: summaryOf(results, []) });
  return broken === undefined;
}
