import type { NostrEvent } from '@covey/nostr';
import type { Sql, TransactionSql } from '../index.ts';

type Tx = Sql | TransactionSql;

/** Keeps a revocation that the caller has verified; of two for a key the one that was there stays unless this is newer. */
export async function storeRevocation(tx: Tx, pubkey: string, event: NostrEvent): Promise<void> {
  await tx`
    insert into revocations (pubkey, event) values (${pubkey}, ${JSON.stringify(event)}::text::json)
    on conflict (pubkey) do update set event = excluded.event, at = now()
      where (revocations.event->>'created_at')::bigint < (excluded.event->>'created_at')::bigint`;
}

/** Oldest first. */
export async function listRevocations(sql: Tx): Promise<NostrEvent[]> {
  const rows = await sql<{ event: NostrEvent }[]>`select event from revocations order by at, pubkey`;
  return rows.map(({ event }) => event);
}

/** Another coordinator's signature over an epoch, verified by the caller. @returns whether it is new. */
export async function storeCosignature(tx: Tx, epoch: number, event: NostrEvent): Promise<boolean> {
  const rows = await tx`
    insert into cosignatures (epoch, pubkey, event) values (${epoch}, ${event.pubkey}, ${JSON.stringify(event)}::text::json)
    on conflict do nothing returning pubkey`;
  return rows.length > 0;
}

export async function listCosignatures(sql: Tx, epoch: number): Promise<NostrEvent[]> {
  const rows = await sql<{ event: NostrEvent }[]>`
    select event from cosignatures where epoch = ${epoch} order by pubkey`;
  return rows.map(({ event }) => event);
}
