import { type Ui, usageError } from '../../engine/types.ts';
import { checkName, teamNumber } from '../../steps/config.ts';
import type { Options } from '../context.ts';

/** In a config file that is handed to all teams the name may be `hackathon-{team}`: the number becomes two digits. */
const PLACE = '{team}';

function nameForTeam(template: string, team: string | number): string {
  return checkName(template.replace(PLACE, String(teamNumber('', team)).padStart(2, '0')));
}

/** The options with the team's own name; without a number the name is open, and asked only if no Cloudspace is there yet. */
export function forTeam(options: Options): Options {
  const { name, ...rest } = options;
  if (!name?.includes(PLACE)) return options;
  return options.team === undefined
    ? { ...rest, nameTemplate: name }
    : { ...rest, name: nameForTeam(name, options.team) };
}

/** Asks for the team's number. Has no default on purpose: with a wrong one two teams would build under one name. */
export async function askTeam(template: string, ui: Ui): Promise<string> {
  const answer = await ui.ask({
    kind: 'input',
    id: 'team',
    flag: '--team',
    message: 'What is the number of your team?',
    help: `It makes the name, ${template.replace(PLACE, 'NN')}, and picks your network: team 7 gets 10.7.0.0/16.`,
    validate: (text) => {
      try {
        if (text.trim() === '') return 'give a number from 0 to 99';
        nameForTeam(template, text);
        return true;
      } catch (error) {
        return (error as Error).message;
      }
    },
  });
  if (answer.trim() === '') throw usageError('no team was given', 'give --team N');
  return nameForTeam(template, answer);
}
