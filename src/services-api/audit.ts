import { appendFile } from 'node:fs/promises';

/** One request, as it is remembered: who, what, when, how it ended. No bodies, no credentials. */
export interface AuditEntry {
  readonly time: string;
  readonly request: string;
  readonly remote: string;
  /** what the caller calls itself: X-Broker-API-Originating-Identity, or the header X-Cloudspace-User */
  readonly user?: string;
  readonly authenticated: boolean;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly error?: string;
  readonly milliseconds: number;
}

/**
 * Appends one line of JSON an entry, mode 0600. The file is opened each time: so it can be renamed by logrotate without a signal. A full disk
 * must not stop the API: the line then goes to standard error, and with it into the journal.
 */
export function auditLog(file: string): (entry: AuditEntry) => Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  return (entry) => {
    const line = `${JSON.stringify(entry)}\n`;
    writing = writing
      .then(() => appendFile(file, line, { mode: 0o600 }))
      .catch((error: Error) => {
        process.stderr.write(`audit log ${file}: ${error.message}; ${line}`);
      });
    return writing;
  };
}
