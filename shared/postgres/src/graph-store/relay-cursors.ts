import type { Sql, TransactionSql } from '../index.ts';

/** How far one relay has been read for one kind. All times are Unix seconds. */
export interface RelayCursor {
  url: string;
  kind: number;
  /** Where the sweep began: nothing newer has been asked for. */
  sweepTop: number;
  /** The next page asks for events up to this time. */
  nextUntil: number;
  /** The sweep ends here: what is older was read by an earlier one. */
  floor: number;
  done: boolean;
}

export async function readCursor(sql: Sql, url: string, kind: number): Promise<RelayCursor | undefined> {
  const [row] = await sql<{ sweep_top: string; next_until: string; floor: string; done: boolean }[]>`
    select sweep_top, next_until, floor, done from relay_cursors where url = ${url} and kind = ${kind}`;
  return (
    row && {
      url,
      kind,
      sweepTop: Number(row.sweep_top),
      nextUntil: Number(row.next_until),
      floor: Number(row.floor),
      done: row.done,
    }
  );
}

/** Belongs into the transaction that stores the page: a cursor never runs ahead of its lists. */
export async function saveCursor(tx: TransactionSql, cursor: RelayCursor, now: Date): Promise<void> {
  const { url, kind, sweepTop, nextUntil, floor, done } = cursor;
  await tx`
    insert into relay_cursors (url, kind, sweep_top, next_until, floor, done, updated_at)
    values (${url}, ${kind}, ${sweepTop}, ${nextUntil}, ${floor}, ${done}, ${now})
    on conflict (url, kind) do update set sweep_top = excluded.sweep_top, next_until = excluded.next_until,
      floor = excluded.floor, done = excluded.done, updated_at = excluded.updated_at`;
}
