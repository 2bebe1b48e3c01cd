import { CloudspaceError } from '../../engine/types.ts';
import type { Prerequisite } from '../../prerequisites/index.ts';
import { referenceText } from '../../secrets/reference.ts';
import type { Context } from '../context.ts';
import { references } from '../secrets.ts';
import { secretsOf } from '../systems/secrets.ts';

/** Every secret that `cloudspace.yaml` refers to, as a prerequisite: is it where the reference says? The value is read and thrown away. Throws `Interrupted` only. */
export async function secretPrerequisites(context: Context): Promise<Prerequisite[]> {
  const secrets = secretsOf(context);
  const found: Prerequisite[] = [];
  for (const { name, ref } of references(context)) {
    const one = {
      id: `secret:${name}`,
      title: `Secret ${name}`,
      advisory: false,
      need: referenceText(ref),
      why: 'cloudspace.yaml refers to it',
    } as const;
    if (ref.kind === 'prompt') {
      found.push({ ...one, status: 'ok', found: 'asked when it is needed' });
      continue;
    }
    try {
      await secrets.read(ref, name);
      found.push({ ...one, status: 'ok', found: 'there' });
    } catch (error) {
      if (!(error instanceof CloudspaceError) || error.exitCode === 130) throw error;
      found.push({
        ...one,
        status: 'missing',
        found: error.message.replace(`${name}: `, ''),
        ...(error.hint === undefined ? {} : { advice: `${error.hint.replace(/\.?$/, '.')}` }),
      });
    }
  }
  return found;
}
