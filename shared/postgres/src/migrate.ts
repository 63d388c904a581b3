import type { Sql } from './index.ts';

/** A step of the schema. Steps are applied once each, in order of `name`, and never edited after a release. */
export interface Migration {
  name: string;
  /** Statements, run in one transaction. */
  sql: string;
}

export class MigrationError extends Error {
  override name = 'MigrationError';
}

/** Any number: who holds the advisory lock of this number migrates; the others wait. */
const LOCK = 4_226_001;

/**
 * Brings the schema up to date. Safe to call from several processes at once.
 * @throws MigrationError when the database has steps that this software does not know: it is newer than the software.
 */
export async function migrate(sql: Sql, migrations: readonly Migration[]): Promise<string[]> {
  const sorted = [...migrations].sort((a, b) => (a.name < b.name ? -1 : 1));
  return await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${LOCK})`;
    await tx`create table if not exists covey_migrations (name text primary key, applied_at timestamptz not null default now())`;
    const applied = new Set(
      (await tx<{ name: string }[]>`select name from covey_migrations`).map((row) => row.name),
    );
    const unknown = [...applied].filter((name) => !sorted.some((migration) => migration.name === name));
    if (unknown.length > 0)
      throw new MigrationError(
        `the database was made by a newer Covey (step ${unknown[0]}): upgrade this one, or use another database`,
      );
    const fresh = sorted.filter(({ name }) => !applied.has(name));
    for (const { name, sql: statements } of fresh) {
      await tx.unsafe(statements);
      await tx`insert into covey_migrations (name) values (${name})`;
    }
    return fresh.map(({ name }) => name);
  });
}
