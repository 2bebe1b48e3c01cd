import { request as httpsRequest } from 'node:https';
import { openVault } from '../ansible/vault.ts';
import { CloudspaceError, usageError } from '../engine/types.ts';
import { readAuthority } from './answer.ts';
import type { ProvideDatabase } from './deploy.ts';
import { OWN_VAULT } from './deploymentMapping.ts';
import { readEndpoints } from './endpointsFile.ts';
import type { Place } from './places.ts';

/** Seconds. Making a database takes about one. */
const TIMEOUT = 60;

/**
 * Gives the function that makes an application's database through the services API (instance `<app>-db`, binding `<app>`), or finds it again: the same request
 * twice makes one. Throws `NoServices` when the API is not there, `ServicesRefused` with its words.
 */
export function provideDatabase(place: Place, signal: AbortSignal, vaultPasswordFile?: string): ProvideDatabase {
  return async (app, notify) => {
    const key = 'database';
    const text = `database ${app}-db`;
    notify({ type: 'progress', key, text, status: 'started' });
    try {
      const call = await servicesApi(place, signal, vaultPasswordFile);
      const instance = `/v2/service_instances/${app}-db`;
      const plan = { service_id: 'postgresql', plan_id: 'postgresql-small' };
      await call('PUT', instance, plan);
      const binding = (await call('PUT', `${instance}/service_bindings/${app}`, plan)) as {
        credentials?: { uri?: unknown };
      };
      const uri = binding.credentials?.uri;
      if (typeof uri !== 'string')
        throw new CloudspaceError('the services API gave a binding without an address', { code: 'ServicesRefused' });
      notify({ type: 'progress', key, text, status: 'done' });
      return { uri };
    } catch (error) {
      notify({ type: 'progress', key, text, status: 'failed' });
      throw error;
    }
  };
}

async function servicesApi(
  place: Place,
  signal: AbortSignal,
  passwordFile: string | undefined,
): Promise<(method: string, path: string, body: unknown) => Promise<unknown>> {
  const endpoint = (await readEndpoints(place.dir)).services['443'];
  const ca = await readAuthority(place.dir);
  if (!endpoint || ca === undefined)
    throw usageError(
      'there is no services API that could make a database',
      'go on with the walkthrough to the end of chapter "services", or deploy without --service',
      'NoServices',
    );
  const vault = openVault({
    dir: place.dir,
    vaultId: OWN_VAULT,
    ...(passwordFile === undefined ? {} : { passwordFile }),
  });
  const token = await vault.secret('services_api_token');
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(
          new CloudspaceError(`the services API does not answer: ${why}`, {
            code: 'ServicesUnreachable',
            hint: 'see which layer is broken: cloudspace check services',
          }),
        );
      const sent = httpsRequest(
        {
          host: endpoint.host,
          port: endpoint.port,
          servername: 'services',
          ca,
          method,
          path,
          signal,
          timeout: TIMEOUT * 1000,
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            'x-broker-api-version': '2.17',
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => {
            const answer = parse(text);
            const status = response.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(answer);
            else
              reject(
                new CloudspaceError(`the services API refused: ${answer.description ?? `status ${status}`}`, {
                  code: 'ServicesRefused',
                }),
              );
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT} seconds`)));
      sent.on('error', (error) => fail(error.message));
      sent.end(JSON.stringify(body));
    });
}

function parse(text: string): { description?: string } {
  try {
    return JSON.parse(text) as { description?: string };
  } catch {
    return {};
  }
}
