import { connectPostgres, MIGRATIONS, MigrationError, migrate, type Sql } from '@covey/postgres';
import { CommandError, EXIT } from './api-client.ts';
import type { ClusterLink } from './cluster-jobs.ts';

/** Runs `action` on the cluster's database, its schema brought up to date. @throws CommandError (69) when it can't be reached */
export async function withDatabase<T>(link: ClusterLink, action: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = connectPostgres(link.databaseUrl, { application: 'covey cli', connections: 2 });
  try {
    await migrate(sql, MIGRATIONS);
    return await action(sql);
  } catch (error) {
    if (error instanceof MigrationError) throw new CommandError(EXIT.data, error.message);
    const { code = '', message } = error as { code?: string; message: string };
    if (!/^(ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|CONNECT|28|3D|57P)/.test(code))
      throw error;
    throw new CommandError(
      EXIT.unreachable,
      `the cluster's PostgreSQL can't be reached (${message || code}). Is the cluster running?`,
      { cause: error },
    );
  } finally {
    await sql.end({ timeout: 2 });
  }
}
