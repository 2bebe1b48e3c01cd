import { createHash } from 'node:crypto';
import { badRequest } from './errors.ts';

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** An id that a client chose. Throws ApiError 400. */
export function checkId(what: string, id: string): string {
  if (ID.test(id)) return id;
  throw badRequest(
    `${what} ${JSON.stringify(id.slice(0, 100))} does not fit: 1 to 100 letters, digits, ".", "_" and "-", the first a letter or digit`,
  );
}

/**
 * The name of the database, vhost or role behind an id: readable, different for different ids, at most 62 characters
 * (PostgreSQL cuts names at 63 bytes). The same id has the same name always.
 */
export function backingName(...ids: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(ids)).digest('hex').slice(0, 10);
  const words = ids.map((id) =>
    id
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^_+|_+$/g, '')
      .slice(0, ids.length > 1 ? 22 : 45),
  );
  return ['s', ...words.filter((word) => word !== ''), hash].join('_');
}
