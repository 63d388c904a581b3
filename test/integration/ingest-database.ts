import { connectPostgres, MIGRATIONS, migrate, type Sql } from '@covey/postgres';
import { startPostgres } from '../support/servers.ts';

export interface IngestDatabase {
  sql: Sql;
  url: string;
  /** Empties the graph and forgets runs and cursors. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** A database of the suite's own with the schema in it. */
export async function startIngestDatabase(): Promise<IngestDatabase> {
  const server = await startPostgres();
  const sql = connectPostgres(server.url, { application: 'test ingest' });
  await migrate(sql, MIGRATIONS);
  return {
    sql,
    url: server.url,
    reset: async () => {
      await sql`truncate accounts, profiles, follow_lists, relay_lists, future_lists, ingest_runs, relay_cursors restart identity`;
    },
    stop: async () => {
      await sql.end({ timeout: 5 });
      await server.stop();
    },
  };
}

/** Follow lists that stand, by author, as hex, sorted. */
export async function standingFollows(sql: Sql): Promise<Record<string, string[]>> {
  const rows = await sql<{ author: string; followees: string[] | null }[]>`
    select encode(a.pubkey, 'hex') as author, (
      select array_agg(encode(f.pubkey, 'hex') order by f.pubkey)
      from generate_series(0, l.followee_count - 1) i
      join accounts f on f.id = get_byte(l.followees, i * 4) + get_byte(l.followees, i * 4 + 1) * 256
        + get_byte(l.followees, i * 4 + 2) * 65536 + get_byte(l.followees, i * 4 + 3) * 16777216
    ) as followees
    from follow_lists l join accounts a on a.id = l.account_id`;
  return Object.fromEntries(rows.map(({ author, followees }) => [author, followees ?? []]));
}
