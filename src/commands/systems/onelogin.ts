import { type Ui, usageError } from '../../engine/types.ts';
import type { Options } from '../context.ts';

/** A SAML application at OneLogin, as its own pages name things. */
export interface OneloginApplication {
  /** the number in the address of the application: /apps/123456/edit */
  readonly appId: string;
  /** the Issuer URL of its SSO tab */
  readonly entityId: string;
}

/** The web admins that sign in by SAML: the controller's (chapter 3) and the services API's (chapter 6). */
export type Onelogin = Readonly<Partial<Record<'controller' | 'services', OneloginApplication>>>;

/** Both applications from `--onelogin-controller ID,ENTITY` and `--onelogin-services ID,ENTITY`. Throws usage errors. */
export function oneloginOf(options: Options): Onelogin {
  return {
    ...(options.oneloginController === undefined
      ? {}
      : { controller: parse(options.oneloginController, '--onelogin-controller') }),
    ...(options.oneloginServices === undefined
      ? {}
      : { services: parse(options.oneloginServices, '--onelogin-services') }),
  };
}

function parse(text: string, flag: string): OneloginApplication {
  const [appId = '', ...rest] = text.split(',');
  const entityId = rest.join(',');
  if (!isAppId(appId) || !isEntityId(entityId))
    throw usageError(
      `${flag}: "${text}" is no application of OneLogin`,
      `app id and entity id with a comma between: ${flag} 123456,https://app.onelogin.com/saml/metadata/…`,
    );
  return { appId, entityId };
}

const isAppId = (text: string): boolean => /^\d{1,12}$/.test(text);

/** A SAML entity id: a URI of at most 1024 characters (SAML 2.0 core, 8.3.6). */
export function isEntityId(value: string): boolean {
  return value.length <= 1024 && !/\s/.test(value) && URL.canParse(value);
}

/** Asks for what is not known yet; "later" leaves an application out. */
export async function askOnelogin(ui: Ui, known: Onelogin): Promise<Onelogin | undefined> {
  const found: Partial<Record<'controller' | 'services', OneloginApplication>> = { ...known };
  for (const [name, what] of [
    ['controller', 'the application controller'],
    ['services', 'the services API'],
  ] as const) {
    if (found[name]) continue;
    const appId = await ui.ask({
      kind: 'input',
      id: `onelogin.${name}`,
      flag: `--onelogin-${name}`,
      message: `OneLogin: app id of ${what}?`,
      help: 'Chapters 3 and 6 tell how the SAML application is made. "later" leaves it out.',
      default: 'later',
      validate: (text) =>
        text === 'later' || isAppId(text) || 'the number in the address of the application: /apps/123456/edit',
    });
    if (appId === 'later') continue;
    const entityId = await ui.ask({
      kind: 'input',
      id: `onelogin.${name}.entity`,
      flag: `--onelogin-${name}`,
      message: 'Its entity id (the Issuer URL of the SSO tab)?',
      validate: (text) => isEntityId(text) || 'a URI, such as https://app.onelogin.com/saml/metadata/…',
    });
    found[name] = { appId, entityId };
  }
  return Object.keys(found).length === 0 ? undefined : found;
}
