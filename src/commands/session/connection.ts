import { password, type Vault } from '../../ansible/vault.ts';
import type { Aws, AwsRequest } from '../../aws/clients.ts';
import type { CredentialOptions, Credentials, Identity } from '../../aws/credentials.ts';
import type { CloudspaceError } from '../../engine/types.ts';
import type { Context } from '../context.ts';

/** Who a command works as, and the clients with which it does. */
export interface Connection {
  readonly roleArn: string | undefined;
  readonly credentials: Credentials;
  readonly aws: Aws;
  readonly identity: Identity;
  /** other clients, whose requests are EC2's dry runs: they can change nothing */
  rehearse(): Aws;
}

export interface ConnectOptions {
  readonly context: Context;
  /** the Cloudspace's name */
  readonly name: string;
  /** the command that goes on later, as a person types it */
  readonly resume: string;
  /** seconds that an unattended run waits for new credentials */
  readonly wait: number;
  readonly profile: string | undefined;
  readonly region: string;
  readonly endpointUrl: string | undefined;
  /** credentials in place of those of the chain */
  readonly base: CredentialOptions['base'];
  /** refuses every mutation */
  readonly readOnly: boolean;
  readonly vault: Vault;
  /** grows with each request that is sent */
  readonly requests: AwsRequest[];
  /** of waits between the clients' retries; 1 for AWS */
  readonly waitScale: number | undefined;
  /** called with what has to be closed at the end */
  readonly onClose: (close: () => void) => void;
}

/** Connects, with a role or as the person of the chain, and asks AWS who that is. */
export async function connectAs(roleArn: string | undefined, options: ConnectOptions): Promise<Connection> {
  const { context, profile, region, endpointUrl, onClose } = options;
  const { ui, signal } = context;
  const { connect } = await import('../../aws/clients.ts');
  const login = await import('../../aws/credentials.ts');
  const { renewal } = await import('../../aws/renewal.ts');
  let asksItself = false;
  const credentials = login.credentials({
    profile,
    roleArn,
    region,
    endpointUrl,
    base: options.base,
    sessionName: `cloudspace-${options.name}`,
    mfaCode: (serial) => {
      asksItself = true;
      return ui.ask({ kind: 'input', id: 'mfa', message: `Code of your MFA device ${serial}` });
    },
  });
  const terms = { region, credentials: credentials.provider, endpointUrl };
  const aws: Aws = connect({
    ...terms,
    readOnly: options.readOnly,
    explain: explainer(() => aws),
    secret: (name) => options.vault.secret(name, password),
    onRequest: (request) => options.requests.push(request),
    renewal: renewal({
      credentials,
      profile,
      wait: options.wait,
      ask: context.options.yes
        ? undefined
        : (withdraw) =>
            ui.ask(
              { kind: 'input', id: 'credentials', message: 'Press Enter when that is done.', default: '' },
              withdraw,
            ),
      asksItself: () => asksItself,
      notify: (event) => ui.notify(event),
      signal,
      resume: options.resume,
    }),
    ...(options.waitScale === undefined ? {} : { waitScale: options.waitScale }),
  });
  onClose(() => aws.close());
  signal.throwIfAborted();
  const rehearse = (): Aws => {
    const dry = connect({ ...terms, dryRun: true });
    onClose(() => dry.close());
    return dry;
  };
  return { roleArn, credentials, aws, rehearse, identity: await login.identity(aws) };
}

/** Says more of a full quota. Loaded when it is needed: few runs meet one. */
function explainer(aws: () => Aws): (error: CloudspaceError) => Promise<CloudspaceError> {
  let explain: ((error: CloudspaceError) => Promise<CloudspaceError>) | undefined;
  return async (error) => {
    if (error.code !== 'QuotaExceeded') return error;
    explain ??= (await import('../../aws/quotaUse.ts')).quotaExplainer(aws);
    return explain(error);
  };
}
