import { hasSnapshot } from '../../aws/sweep.ts';
import type { Doomed } from '../../engine/doomed.ts';
import { usageError } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session/session.ts';

/** RDS's rule: 1 to 255 letters, digits and hyphens; a letter first, no hyphen last, no two in a row. */
const IDENTIFIER = /^(?=.{1,255}$)[A-Za-z](?:-?[A-Za-z0-9])*$/;

/** Reads --final-snapshot NAME|none: the name, `none`, or undefined when it was not given. Throws a usage error. */
export function checkFinalSnapshot(text: string | undefined): string | undefined {
  if (text === undefined || text === 'none' || IDENTIFIER.test(text)) return text;
  throw usageError(
    `"${text}" cannot be the name of a database snapshot`,
    'use letters, digits and single hyphens, a letter first; or --final-snapshot none',
  );
}

/** A database that runs in practice or was never set up holds nothing; without a state file nobody knows. */
function wasUsed({ state }: Session): boolean {
  return state === undefined || Object.values(state.plays).some(({ status }) => status !== 'failed');
}

/**
 * Whether the databases that go leave a snapshot behind, and of which name: the flag, else a question, else (`--yes`) none. Gives the
 * doomed with the decision in them. Throws a usage error when the name is taken.
 */
export async function decideFinalSnapshot(
  { options, ui }: Context,
  session: Session,
  doomed: readonly Doomed[],
): Promise<{ readonly doomed: readonly Doomed[]; readonly snapshot: string | undefined }> {
  const goes = ({ kind, adopted, out }: Doomed): boolean =>
    kind.type === 'aws_db_instance' && !adopted && kind.status?.(out).state !== 'deleting';
  if (!doomed.some(goes)) return { doomed, snapshot: undefined };
  const stamp = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const ownName = `${session.name}-final-${stamp}`;
  const flag = checkFinalSnapshot(options.finalSnapshot);
  const chosen =
    flag ??
    (options.yes
      ? 'none'
      : await ui.ask({
          kind: 'select',
          id: 'final-snapshot',
          flag: '--final-snapshot',
          message: 'Keep a final snapshot of the database?',
          help: 'A snapshot holds all data; a new database can be made from it. It costs until you delete it, and deleting the database then takes longer.',
          default: wasUsed(session) ? ownName : 'none',
          choices: [
            { value: ownName, name: `Yes, as ${ownName}`, description: 'about 2 USD a month for 20 GB' },
            { value: 'none', name: 'No', description: 'the data is gone for good' },
          ],
        }));
  if (chosen === 'none') return { doomed, snapshot: undefined };
  if (await hasSnapshot(session.aws, chosen))
    throw usageError(
      `there is a database snapshot "${chosen}" already`,
      'choose another name for --final-snapshot; nothing was deleted',
      'SnapshotExists',
    );
  return {
    snapshot: chosen,
    doomed: doomed.map((item) => (goes(item) ? { ...item, out: { ...item.out, finalSnapshot: chosen } } : item)),
  };
}
