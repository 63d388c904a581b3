import type { Sql } from '../index.ts';

/** Names of accounts, by id (see `LoadedGraph.ids`). Accounts without one are absent. */
export async function namesOf(sql: Sql, ids: readonly number[]): Promise<Map<number, string>> {
  const rows = await sql<{ account_id: number; name: string }[]>`
    select account_id, name from profiles where account_id = any(${ids as number[]})`;
  return new Map(rows.map(({ account_id, name }) => [account_id, name]));
}
