import type { Sql, TransactionSql } from '../index.ts';

/** A verified list that is dated in the future. */
export interface FutureList {
  /** 32 bytes. */
  pubkey: Uint8Array;
  kind: number;
  /** Unix seconds. */
  createdAt: number;
  source: string;
  /** The event as JSON. */
  event: string;
}

export interface FutureListBounds {
  listsMax: number;
  bytesMax: number;
}

export const FUTURE_LIST_BOUNDS: FutureListBounds = { listsMax: 10_000, bytesMax: 128 * 2 ** 20 };

/** Keeps lists until they are due. At the bound those due last go: a list dated 2099 never crowds out tomorrow's. */
export async function setAsideLists(
  tx: TransactionSql,
  lists: readonly FutureList[],
  bounds = FUTURE_LIST_BOUNDS,
): Promise<void> {
  if (lists.length === 0) return;
  for (const list of lists)
    await tx`
      insert into future_lists (pubkey, kind, created_at, source, event)
      values (${Buffer.from(list.pubkey)}, ${list.kind}, ${list.createdAt}, ${list.source}, ${list.event})
      on conflict (pubkey, kind) do update
        set created_at = excluded.created_at, source = excluded.source, event = excluded.event
        where excluded.created_at < future_lists.created_at`;
  await tx`
    delete from future_lists f using (
      select pubkey, kind, row_number() over due as place, sum(octet_length(event)) over due as bytes
      from future_lists window due as (order by created_at, pubkey, kind)
    ) kept
    where kept.pubkey = f.pubkey and kept.kind = f.kind
      and (kept.place > ${bounds.listsMax} or kept.bytes > ${bounds.bytesMax})`;
}

/** Where one page of due lists ended. */
export type FutureListPlace = Pick<FutureList, 'createdAt' | 'pubkey' | 'kind'>;

/** Lists dated up to `now` (Unix seconds) behind `after`, the earliest first. They stay until `dropFutureLists`. */
export async function dueFutureLists(
  sql: Sql,
  now: number,
  limit: number,
  after: FutureListPlace = { createdAt: -1, pubkey: new Uint8Array(), kind: -1 },
): Promise<FutureList[]> {
  const rows = await sql<
    { pubkey: Buffer; kind: number; created_at: string; source: string; event: string }[]
  >`
    select pubkey, kind, created_at, source, event from future_lists
    where created_at <= ${now}
      and (created_at, pubkey, kind) > (${after.createdAt}, ${Buffer.from(after.pubkey)}, ${after.kind})
    order by created_at, pubkey, kind limit ${limit}`;
  return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: Number(created_at) }));
}

export async function dropFutureLists(tx: TransactionSql, lists: readonly FutureList[]): Promise<void> {
  for (const { pubkey, kind, createdAt } of lists)
    await tx`
      delete from future_lists
      where pubkey = ${Buffer.from(pubkey)} and kind = ${kind} and created_at = ${createdAt}`;
}
