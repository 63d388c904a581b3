import type { NostrEvent } from '@covey/nostr';
import type { Sql, TransactionSql } from '@covey/postgres';
import type { EpochReport } from './report.ts';

/** Epochs whose whole table stays in PostgreSQL: at least so many, and more while all of them are small enough. */
const TABLES_KEPT_MIN = 8;
const TABLES_KEPT_MAX = 256;
const TABLES_BYTES_KEPT = 256 << 20;
const REPORTS_KEPT = 8;
const INPUTS_BYTES_KEPT = 256 << 20;

/** Another coordinator has taken the lead: what this one computed is thrown away. */
export class FencedError extends Error {
  override name = 'FencedError';
}

export interface EpochCounts {
  accounts: number;
  follows: number;
  communities: number;
  groups: number;
  moved: number;
}

export interface EpochHead {
  epoch: number;
  root: string;
  manifestId: string;
  inputs: string;
  /** Root of the placement that it is on its way to; undefined for epochs of before. */
  target: string | undefined;
  counts: EpochCounts;
  /** Digest of graph, members, pins and options: equal to the last one's, there is nothing to place. */
  snapshot: string;
}

export interface EpochRow extends EpochHead {
  fence: number;
  createdAt: number;
  reason: string;
  manifest: NostrEvent;
  table: Uint8Array;
  delta?: Uint8Array | undefined;
  /** Absent for a step: the newest report stands. */
  report?: (EpochReport & Record<string, unknown>) | undefined;
  /** What `covey audit` computes it again from, in pieces. Absent for a step, and where it would be too large. */
  inputsPieces?: readonly Uint8Array[] | undefined;
}

/** The newest epoch, or undefined before the first. */
export async function lastEpoch(sql: Sql): Promise<EpochHead | undefined> {
  const rows = await sql<LastRow[]>`
    select epoch, root, manifest_id, snapshot, inputs, target, accounts, follows, communities, groups, moved
    from epochs order by epoch desc limit 1`;
  const row = rows[0];
  if (!row) return undefined;
  const { accounts, communities, groups, moved, root, snapshot, inputs } = row;
  const counts = { accounts, follows: Number(row.follows), communities, groups, moved };
  const target = row.target ?? undefined;
  return { epoch: Number(row.epoch), root, manifestId: row.manifest_id, snapshot, inputs, target, counts };
}

interface LastRow {
  epoch: string;
  root: string;
  manifest_id: string;
  snapshot: string;
  inputs: string;
  target: string | null;
  accounts: number;
  follows: string;
  communities: number;
  groups: number;
  moved: number;
}

/** The bytes of an epoch's table. @throws Error when they are no longer kept. */
export async function tableOf(sql: Sql, epoch: number): Promise<Uint8Array> {
  const rows = await sql<
    { table_bytes: Uint8Array | null }[]
  >`select table_bytes from epochs where epoch = ${epoch}`;
  const bytes = rows[0]?.table_bytes;
  if (!bytes) throw new Error(`the table of epoch ${epoch} is no longer kept`);
  return new Uint8Array(bytes);
}

/**
 * Writes an epoch, its report and its outbox row in one transaction, under the leader's fence.
 * @param together further statements of that transaction.
 * @throws FencedError when this coordinator no longer leads, or another one has written this epoch.
 */
export async function commitEpoch(
  sql: Sql,
  row: EpochRow,
  together?: (tx: TransactionSql) => Promise<void>,
): Promise<void> {
  await sql.begin(async (tx) => {
    // Holds the lease row until the commit: nobody can take the lead between this check and the epoch.
    const lease =
      await tx`select fence from coordinator_lease where fence = ${row.fence} and expires_at > now() for share`;
    if (lease.length === 0) throw new FencedError(`fence ${row.fence} is over: another coordinator leads`);
    const { counts } = row;
    const inserted = await tx`
      insert into epochs (epoch, fence, created_at, reason, manifest, manifest_id, root, inputs, snapshot, accounts, follows,
        communities, groups, moved, table_bytes, delta, target)
      select ${row.epoch}, ${row.fence}, ${row.createdAt}, ${row.reason}, ${JSON.stringify(row.manifest)}::text::json,
        ${row.manifestId}, ${row.root}, ${row.inputs}, ${row.snapshot}, ${counts.accounts}, ${counts.follows},
        ${counts.communities}, ${counts.groups}, ${counts.moved}, ${Buffer.from(row.table)},
        ${row.delta ? Buffer.from(row.delta) : null}, ${row.target ?? null}
      where coalesce((select max(epoch) from epochs), 0) = ${row.epoch - 1}
      on conflict do nothing returning epoch`;
    if (inserted.length === 0) throw new FencedError(`epoch ${row.epoch} does not follow the last epoch`);
    await tx`insert into epoch_outbox (epoch) values (${row.epoch})`;
    if (row.report)
      await tx`insert into epoch_reports (epoch, report) values (${row.epoch}, ${tx.json(row.report as never)})`;
    // Newest first, the bytes of an epoch's table and of all later ones decide whether it stays.
    await tx`
      update epochs set table_bytes = null, delta = null from (
        select epoch, sum(octet_length(table_bytes)) over (order by epoch desc) as total
        from epochs where table_bytes is not null) sizes
      where epochs.epoch = sizes.epoch and epochs.epoch <= ${row.epoch - TABLES_KEPT_MIN}
        and (epochs.epoch <= ${row.epoch - TABLES_KEPT_MAX} or total > ${TABLES_BYTES_KEPT})`;
    await tx`delete from epoch_reports where epoch not in (select epoch from epoch_reports order by epoch desc limit ${REPORTS_KEPT})`;
    await storeInputs(tx, row.epoch, row.inputsPieces ?? []);
    await together?.(tx);
  });
}

/** Keeps the inputs of the newest placements, older ones only while all of them fit the bound. */
async function storeInputs(tx: TransactionSql, epoch: number, pieces: readonly Uint8Array[]): Promise<void> {
  if (pieces.length === 0) return;
  for (const [piece, bytes] of pieces.entries())
    await tx`insert into epoch_inputs (epoch, piece, bytes) values (${epoch}, ${piece}, ${Buffer.from(bytes)})`;
  await tx`
    delete from epoch_inputs where epoch < ${epoch} and epoch not in (
      select epoch from (
        select epoch, sum(sum(octet_length(bytes))) over (order by epoch desc) as total
        from epoch_inputs group by epoch) sizes
      where total <= ${INPUTS_BYTES_KEPT})`;
}

/** The inputs of a placement in pieces; none when they are not kept. */
export async function inputsOf(sql: Sql, epoch: number): Promise<Uint8Array[]> {
  const rows = await sql<{ bytes: Uint8Array }[]>`
    select bytes from epoch_inputs where epoch = ${epoch} order by piece`;
  return rows.map(({ bytes }) => bytes);
}

export interface OutboxItem {
  epoch: number;
  root: string;
  manifest: NostrEvent;
  snapshot: Uint8Array;
  delta: Uint8Array | undefined;
}

/** The oldest epoch that NATS may not have yet. */
export async function nextInOutbox(sql: Sql): Promise<OutboxItem | undefined> {
  const rows = await sql<
    { epoch: string; root: string; manifest: NostrEvent; table_bytes: Uint8Array; delta: Uint8Array | null }[]
  >`
    select epoch, root, manifest, table_bytes, delta from epoch_outbox join epochs using (epoch)
    where table_bytes is not null order by epoch limit 1`;
  const row = rows[0];
  return (
    row && {
      epoch: Number(row.epoch),
      root: row.root,
      manifest: row.manifest,
      snapshot: new Uint8Array(row.table_bytes),
      delta: row.delta ? new Uint8Array(row.delta) : undefined,
    }
  );
}

/** Marks an epoch, and those before it, as published. */
export async function removeFromOutbox(sql: Sql, epoch: number): Promise<void> {
  await sql`delete from epoch_outbox where epoch <= ${epoch}`;
}

/** Puts the newest epoch into the outbox again: for a NATS server that has lost its streams. */
export async function republishLast(sql: Sql): Promise<void> {
  await sql`insert into epoch_outbox (epoch) select max(epoch) from epochs having max(epoch) is not null on conflict do nothing`;
}
