import { CloudspaceError } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import type { ProvideDatabase } from '../deploy.ts';
import { openServices } from './servicesApi.ts';

/** Instance and binding of an application's own database. */
export function databaseOf(app: string): { readonly instance: string; readonly binding: string } {
  return { instance: `${app}-db`, binding: app };
}

/**
 * Gives the function that makes an application's database through the services API, or finds it again: the same request twice makes one.
 * Throws what the services API's client throws.
 */
export function provideDatabase(context: Context): ProvideDatabase {
  return async (app, notify) => {
    const { instance, binding } = databaseOf(app);
    const key = 'database';
    const text = `database ${instance}`;
    notify({ type: 'progress', key, text, status: 'started' });
    try {
      const ask = await openServices(context);
      const path = `/v2/service_instances/${instance}`;
      const plan = { service_id: 'postgresql', plan_id: 'small' };
      await ask('PUT', path, plan);
      const { body } = await ask('PUT', `${path}/service_bindings/${binding}`, plan);
      const { uri } = (body.credentials ?? {}) as { uri?: unknown };
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
