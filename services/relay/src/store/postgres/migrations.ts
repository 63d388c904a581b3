import { StoreTooNewError } from '../store-errors.ts';
import type { Sql } from './connection.ts';

/**
 * Each step leads from the version of its index to the next. Never change one that was released. The same tables as in
 * SQLite (`../sqlite/migrations.ts`); `address` is UTF-8 as bytes, for PostgreSQL's text holds no NUL. SQLite is told which
 * index to take; here the expressions of the indexes by kind and by time keep the planner from walking one of them in
 * search of a single author's events.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE owner (single boolean PRIMARY KEY CHECK (single), token text NOT NULL);

  CREATE TABLE events (
    seq bigint PRIMARY KEY,
    id bytea NOT NULL UNIQUE,
    pubkey bytea NOT NULL,
    kind int NOT NULL,
    created_at bigint NOT NULL,
    head bigint NOT NULL,
    expires_at bigint,
    address bytea,
    json text NOT NULL
  );
  CREATE INDEX events_by_author_kind ON events (pubkey, kind, created_at DESC, head);
  CREATE INDEX events_by_author ON events (pubkey, created_at DESC, head);
  CREATE INDEX events_by_kind ON events ((kind + 0), created_at DESC, head);
  CREATE INDEX events_by_time ON events ((kind >= 0), created_at DESC, head);
  CREATE UNIQUE INDEX events_by_address ON events (sha256(address)) WHERE address IS NOT NULL;
  CREATE INDEX events_by_expiry ON events (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE tags (key bytea NOT NULL, created_at bigint NOT NULL, head bigint NOT NULL, seq bigint NOT NULL, kind int NOT NULL);
  CREATE UNIQUE INDEX tags_by_key ON tags (key, created_at DESC, head, seq);

  CREATE TABLE deleted_ids (id bytea NOT NULL, pubkey bytea NOT NULL, PRIMARY KEY (id, pubkey));
  CREATE TABLE deleted_addresses (digest bytea PRIMARY KEY, until bigint NOT NULL);
  CREATE TABLE vanished (pubkey bytea PRIMARY KEY, until bigint NOT NULL, pending boolean NOT NULL);
  CREATE TABLE unplaced (seq bigint PRIMARY KEY);
  CREATE TABLE delivered (seq bigint PRIMARY KEY);
  CREATE TABLE handed_over (key bytea PRIMARY KEY, destinations text NOT NULL, at bigint NOT NULL);

  CREATE TABLE search (seq bigint PRIMARY KEY, words text[] NOT NULL);
  CREATE INDEX search_by_words ON search USING gin (words);

  CREATE TABLE spool (
    seq bigint PRIMARY KEY,
    id bytea NOT NULL UNIQUE,
    hops int NOT NULL,
    spooled_at bigint NOT NULL,
    json text NOT NULL
  );
  CREATE TABLE spool_destinations (member text NOT NULL, seq bigint NOT NULL, PRIMARY KEY (member, seq));
  CREATE INDEX spool_destinations_by_seq ON spool_destinations (seq);

  CREATE TABLE mirror_cursors (
    pubkey bytea NOT NULL, url text NOT NULL, floor bigint NOT NULL, top bigint NOT NULL, bytes bigint NOT NULL,
    PRIMARY KEY (pubkey, url)
  );
  CREATE TABLE mirror_relays (url text PRIMARY KEY, failures int NOT NULL, retry_at bigint NOT NULL);
  `,
];

/** Brings the schema up to date, under the member's lock. @throws StoreTooNewError */
export async function migrate(sql: Sql): Promise<void> {
  await sql`CREATE TABLE IF NOT EXISTS version (single boolean PRIMARY KEY CHECK (single), steps int NOT NULL)`;
  const [row] = await sql`SELECT steps FROM version`;
  const steps = (row?.['steps'] as number | undefined) ?? 0;
  if (steps > MIGRATIONS.length)
    throw new StoreTooNewError(
      `the store in PostgreSQL has version ${steps}; this software knows ${MIGRATIONS.length}: run the version that made it, or a newer one`,
    );
  await sql.begin(async (tx) => {
    for (const step of MIGRATIONS.slice(steps)) await tx.unsafe(step);
    await tx`INSERT INTO version (single, steps) VALUES (true, ${MIGRATIONS.length})
      ON CONFLICT (single) DO UPDATE SET steps = excluded.steps`;
  });
}
