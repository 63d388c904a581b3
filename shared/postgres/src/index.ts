import type { Sql as LibrarySql, TransactionSql as LibraryTransactionSql } from 'postgres';
import { postgres } from './library.ts';

export * from './authority/index.ts';
export * from './graph-store/index.ts';
export { type Migration, MigrationError, migrate } from './migrate.ts';
export { MIGRATIONS } from './migrations/index.ts';
export type Sql = LibrarySql;
export type TransactionSql = LibraryTransactionSql;

/**
 * A pool of connections to PostgreSQL. It connects when first used, and again after a failure. A transaction whose connection
 * is lost fails; it never ends the process.
 */
export function connectPostgres(
  url: string,
  { application, connections = 5 }: { application: string; connections?: number },
): Sql {
  return postgres(url, {
    max: connections,
    connection: { application_name: application },
    connect_timeout: 5,
    // 1s to 10s: a restarting server is found again soon, and not stormed.
    backoff: (attempt) => Math.min(10, 2 ** attempt) * 0.5,
    onnotice: () => {},
  });
}
