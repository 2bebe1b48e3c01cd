import { guideSection } from '../../guide.ts';
import type { Config } from '../../steps/config.ts';
import { login } from '../../steps/login.ts';
import type { Context } from '../context.ts';
import { credentialProcess, keyInUse } from '../session/awsKey.ts';
import { lifeOf } from '../session/credentialsLife.ts';
import type { Session, SessionOptions } from '../session/session.ts';

/** The prelude's second step, asked once: work in the account of these credentials, or assume a role in another one (the guide's prelude). */
export function roleChooser({ ui }: Context): NonNullable<SessionOptions['chooseRole']> {
  return async (identity, suggested) => {
    ui.notify({
      type: 'info',
      text: `${await section('Who you are')}\n\nYou are \`${identity.arn}\`, in account **${identity.account}**.`,
    });
    ui.notify({ type: 'info', text: await section('The account you work in') });
    const { roleArn } = await import('../../aws/credentials.ts');
    const choice = await ui.ask({
      kind: 'select',
      id: 'account',
      flag: '--account',
      message: 'In which account do you work?',
      default: suggested ?? 'this',
      choices: [
        ...(suggested
          ? [
              {
                value: suggested,
                name: `Assume ${suggested.split(':').slice(4).join(' ')}`,
                description: "Your team's sub-account.",
              },
            ]
          : []),
        { value: 'this', name: `This one, ${identity.account}`, description: 'With the credentials you have.' },
        { value: 'other', name: 'Another one', description: 'Assume OrganizationAccountAccessRole there.' },
      ],
    });
    if (choice === 'this') return undefined;
    if (choice !== 'other') return choice;
    const account = await ui.ask({
      kind: 'input',
      id: 'account.id',
      flag: '--account',
      message: 'Id of that account',
      validate: (text) => /^\d{12}$/.test(text) || 'an account id has 12 digits',
    });
    return roleArn(account);
  };
}

/** Offers to write a profile for the role, so that the `aws` CLI and the console work with it too. Nothing in the file is disturbed. */
export async function offerProfile(context: Context, session: Session): Promise<void> {
  const { ui } = context;
  const key = keyInUse(context);
  if (session.practice || session.state !== undefined || (session.roleArn === undefined && key === undefined)) return;
  ui.notify({ type: 'info', text: await section('A profile for the role') });
  const write = await ui.ask({
    kind: 'confirm',
    id: 'profile',
    message: `Write the profile "${session.name}" to your AWS config file?`,
    help: key
      ? 'It names the role, and beside it a profile whose key is fetched each time it is needed. No key is written.'
      : 'It names the role and the profile it starts from. No key is written.',
    default: false,
  });
  if (!write) return;
  const { writeProfile } = await import('../../aws/configFile.ts');
  const { region, roleArn } = session;
  const fetching = key && credentialProcess(key);
  const keyProfile = roleArn === undefined ? session.name : `${session.name}-key`;
  // One backup for both: of the file as it was before either.
  const source =
    fetching !== undefined && roleArn !== undefined
      ? await writeProfile(keyProfile, { credential_process: fetching, region })
      : undefined;
  const written = await writeProfile(
    session.name,
    roleArn === undefined
      ? { ...(fetching === undefined ? {} : { credential_process: fetching }), region }
      : {
          role_arn: roleArn,
          source_profile: fetching ? keyProfile : (session.profile ?? process.env.AWS_PROFILE ?? 'default'),
          region,
        },
    { backup: source?.changed !== true },
  );
  const backup = source?.backup ?? written.backup;
  ui.notify({
    type: 'info',
    text: written.changed
      ? `The profile is in \`${written.file}\`${backup ? `, the file as it was in \`${backup}\`` : ''}. Try: \`aws sts get-caller-identity --profile ${session.name}\``
      : `\`${written.file}\` says that already.`,
  });
}

/** What the prelude is about, for who reads along: the introduction of its guide file. */
export async function introduce({ ui }: Context): Promise<void> {
  ui.notify({ type: 'info', text: await guideSection(login.guide, login.title) });
}

/** A section of the prelude, for who reads along. */
export async function explain({ ui }: Context, heading: 'Region and name' | 'Your SSH key'): Promise<void> {
  ui.notify({ type: 'info', text: await section(heading) });
}

/** A section of the prelude under its heading, without its background ("More"): the prelude has no step that could show details. */
async function section(heading: string): Promise<string> {
  return `## ${heading}\n\n${(await guideSection(login.guide, heading)).split(/\n#+ /)[0] ?? ''}`;
}

/** What was settled, in one paragraph: what everything else is a function of. */
export function settled({ ui }: Context, session: Session, config: Config): void {
  const life = lifeOf(session.credentials);
  const left = life === undefined ? '' : `, ${life}`;
  ui.notify({
    type: 'info',
    text: [
      `- Cloudspace **${config.name}** ${session.practice ? 'on the practice cloud of this machine' : 'on AWS'}, account ${session.account}, ${session.region}`,
      `- you are \`${session.identity}\`${left}`,
      `- network ${config.cidr} in ${config.zones.join(' and ')}; SSH to the bastion from ${config.sshFrom}`,
      `- ${config.runners} ${config.runners === 1 ? 'runner' : 'runners'}; hosts ${config.instanceType} with ${config.ami}; database ${config.dbClass}, PostgreSQL ${config.postgresVersion}`,
      `- state in \`${session.dir}\``,
    ].join('\n'),
  });
}
