/** In order; the first has number 1. What was released is never changed: add one. */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE instances (
  id text PRIMARY KEY,
  service text NOT NULL,
  plan text NOT NULL,
  parameters jsonb NOT NULL,
  name text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE bindings (
  instance_id text NOT NULL REFERENCES instances (id),
  id text NOT NULL,
  name text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
  credentials text CHECK (credentials IS NOT NULL OR state <> 'ready'),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (instance_id, id)
);
-- Backups outlive their instance: what was deleted by mistake comes back from them.
CREATE TABLE backups (
  id text PRIMARY KEY,
  instance_id text NOT NULL,
  service text NOT NULL,
  state text NOT NULL CHECK (state IN ('in progress', 'ready', 'failed')),
  bytes bigint,
  sha256 text CHECK (sha256 IS NOT NULL OR state <> 'ready'),
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX ON backups (instance_id, created_at);
CREATE TABLE operations (
  id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('backup', 'restore')),
  instance_id text NOT NULL,
  backup_id text NOT NULL,
  state text NOT NULL CHECK (state IN ('in progress', 'succeeded', 'failed')),
  step text NOT NULL DEFAULT 'staging' CHECK (step IN ('staging', 'swapped')),
  description text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX ON operations (instance_id, created_at);
CREATE UNIQUE INDEX one_operation_at_a_time ON operations (instance_id) WHERE state = 'in progress';
`,
];
