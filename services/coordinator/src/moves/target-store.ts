import type { Sql, TransactionSql } from '@covey/postgres';
import { PlacementTable } from '@covey/table';

/** What the accounts are on their way to. */
export interface Target {
  table: PlacementTable;
  /** Unix milliseconds. */
  sinceMs: number;
  /** Moving group → the epoch that brought it to its phase. */
  phases: Map<number, number>;
}

/** Root of the target, or undefined before the first epoch. */
export async function targetRoot(sql: Sql): Promise<string | undefined> {
  return (await sql<{ root: string }[]>`select root from placement_target`)[0]?.root;
}

export async function readTarget(sql: Sql): Promise<Target | undefined> {
  const rows = await sql<{ table_bytes: Uint8Array; since: Date; phases: [number, number][] }[]>`
    select table_bytes, since, phases from placement_target`;
  const row = rows[0];
  return (
    row && {
      table: new PlacementTable(new Uint8Array(row.table_bytes)),
      sinceMs: row.since.getTime(),
      phases: new Map(row.phases),
    }
  );
}

/** Sets a new target with the phases of the epoch that is committed with it. */
export async function writeTarget(
  tx: TransactionSql,
  table: PlacementTable,
  phases: ReadonlyMap<number, number>,
): Promise<void> {
  await tx`
    insert into placement_target (table_bytes, root, phases)
    values (${Buffer.from(table.bytes)}, ${table.root}, ${tx.json([...phases])})
    on conflict (only_row) do update
      set table_bytes = excluded.table_bytes, root = excluded.root, since = now(), phases = excluded.phases`;
}

export async function writePhases(tx: TransactionSql, phases: ReadonlyMap<number, number>): Promise<void> {
  await tx`update placement_target set phases = ${tx.json([...phases])}`;
}
