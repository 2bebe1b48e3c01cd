import { createHash } from 'node:crypto';
import type { Journal } from '../../engine/journal.ts';
import { CloudspaceError, type Resource, type Ui } from '../../engine/types.ts';
import { type Finding, type PreflightOptions, preflight } from './preflight.ts';

export interface LookAheadOptions extends PreflightOptions {
  readonly journal: Journal;
  readonly interactive: boolean;
  readonly ui: Ui;
  /** there already, though this machine knew nothing of it: made elsewhere, or by somebody else */
  readonly foundElsewhere: readonly Resource[];
}

/**
 * Before anything is made: looks ahead once, and again only when the configuration or what is to be made has changed since it was good. What AWS would refuse is
 * told with who could make room; the person looks again, goes on anyway or leaves ('saved'). Throws CloudspaceError `Preflight` (exit 1) unattended.
 */
export async function lookAhead(options: LookAheadOptions): Promise<'go' | 'saved'> {
  const { config, missing, journal, interactive, ui } = options;
  if (missing.length === 0) return 'go';
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([config, missing.map(({ key }) => key).at(-1)]))
    .digest('hex')
    .slice(0, 16);
  if (journal.state.preflight === fingerprint) return 'go';
  if (options.foundElsewhere.length > 0)
    ui.notify({
      type: 'warning',
      text: `A Cloudspace "${config.name}" is in account ${config.account} already, and this machine did not know of it: ${options.foundElsewhere.length} resources. This run goes on with them. If it is not yours, leave now and choose another \`--name\`.`,
    });
  for (;;) {
    const findings = await preflight(options);
    for (const finding of findings) tell(ui, finding);
    const blocking = findings.filter(({ status }) => status === 'blocking');
    if (blocking.length === 0) {
      ui.notify({ type: 'info', text: inShort(findings) });
      break;
    }
    if (!interactive) throw refused(blocking);
    const choice = await ui.ask({
      kind: 'select',
      id: 'preflight',
      flag: '--skip-preflight',
      message: 'AWS would refuse this half way. What now?',
      default: 'again',
      choices: [
        {
          value: 'again',
          name: 'Look again',
          description: 'When you have made room, in the console or another terminal.',
        },
        {
          value: 'anyway',
          name: 'Go on anyway',
          description: 'It stops where AWS refuses; what is made until then stays.',
        },
        { value: 'quit', name: 'Save and quit', description: 'Nothing was made yet; the same command goes on here.' },
      ],
    });
    if (choice === 'quit') return 'saved';
    if (choice === 'anyway') break;
  }
  await journal.update((state) => {
    state.preflight = fingerprint;
  });
  return 'go';
}

function tell(ui: Ui, { status, title, detail }: Finding): void {
  if (status === 'ok') return;
  ui.notify({ type: 'warning', text: detail.startsWith('**') ? detail : `**${title}**: ${detail}` });
}

/** "Looked ahead: 7 quotas, …" */
function inShort(findings: readonly Finding[]): string {
  const good = findings.filter(({ status }) => status === 'ok');
  const quotas = good.filter(({ quota }) => quota).length;
  const others = good.filter(({ quota }) => !quota).map(({ title }) => title.toLowerCase());
  const parts = [...(quotas > 0 ? [`room in ${quotas} ${quotas === 1 ? 'quota' : 'quotas'}`] : []), ...others];
  const guessed = findings.some(({ quota }) => quota?.source === 'default');
  const limits = guessed ? " The account's quotas could not all be read; AWS's defaults stood in for them." : '';
  return parts.length === 0
    ? 'Looked ahead; nothing could be found out.'
    : `Looked ahead: ${parts.join(', ')}: good.${limits}`;
}

/** The same text that a person is shown, as the reason why an unattended run stops before it has made anything. */
function refused(blocking: readonly Finding[]): CloudspaceError {
  return new CloudspaceError(
    `AWS would refuse this half way, so nothing was made: ${blocking.map(({ title }) => title).join('; ')}`,
    {
      code: blocking.some(({ quota }) => quota) ? 'QuotaExceeded' : 'NameTaken',
      hint: 'mend what is named above and run the same command again; --skip-preflight goes on without looking',
    },
  );
}
