import type { Chapter } from '../engine/types.ts';
import type { Config } from './config.ts';

/**
 * The prelude makes nothing in the account: it settles who works where. Its steps are the guide's headings in order; what each asks is in
 * src/commands/answers/answers.ts, because the answers are what every other step is a function of.
 */
export const login: Chapter<Config> = {
  id: 'login',
  title: 'Logging in',
  guide: '0-login.md',
  steps: [
    { id: 'identity', title: 'Who you are', guide: 'Who you are', actions: () => [] },
    { id: 'account', title: 'The account you work in', guide: 'The account you work in', actions: () => [] },
    { id: 'profile', title: 'A profile for the role', guide: 'A profile for the role', actions: () => [] },
    { id: 'region', title: 'Region and name', guide: 'Region and name', actions: () => [] },
    { id: 'key', title: 'Your SSH key', guide: 'Your SSH key', actions: () => [] },
  ],
};
