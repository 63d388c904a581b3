import type { Sql, TransactionSql } from '../index.ts';

type Tx = Sql | TransactionSql;

/** How long leadership is kept for the one that was promoted, in case it does not come. */
const PREFERRED_MS = 60_000;
/** A coordinator that has not been seen for so long is gone. */
const SEEN_MS_MAX = 30_000;

export interface Controls {
  /** While set, no new placement is made and no move is started. */
  paused?: { at: string; reason: string } | undefined;
}

export async function readControls(sql: Tx): Promise<Controls> {
  const rows = await sql<
    { paused_at: Date | null; pause_reason: string | null }[]
  >`select paused_at, pause_reason from controls`;
  const { paused_at, pause_reason } = rows[0] ?? { paused_at: null, pause_reason: null };
  return { paused: paused_at ? { at: paused_at.toISOString(), reason: pause_reason ?? '' } : undefined };
}

export async function pause(tx: Tx, reason: string): Promise<void> {
  await tx`update controls set paused_at = coalesce(paused_at, now()), pause_reason = ${reason}`;
}

export async function resume(tx: Tx): Promise<void> {
  await tx`update controls set paused_at = null, pause_reason = null`;
}

export interface CoordinatorRow {
  name: string;
  pubkey: string;
  /** ISO 8601. */
  seenAt: string;
  leads: boolean;
}

/** Coordinators that were seen lately, and which of them leads. */
export async function listCoordinators(sql: Tx): Promise<CoordinatorRow[]> {
  const rows = await sql<{ name: string; pubkey: string; seen_at: Date; leads: boolean }[]>`
    select c.name, c.pubkey, c.seen_at,
      exists (select 1 from coordinator_lease l where l.holder = c.name and l.expires_at > now()) as leads
    from coordinators c where c.seen_at > now() - ${SEEN_MS_MAX} * interval '1 millisecond' order by c.name`;
  return rows.map(({ seen_at, ...rest }) => ({ ...rest, seenAt: seen_at.toISOString() }));
}

/** Says that this coordinator is there; forgets those that have been gone for a day. */
export async function touchCoordinator(
  sql: Tx,
  { name, pubkey }: { name: string; pubkey: string },
): Promise<void> {
  await sql`
    insert into coordinators (name, pubkey, started_at, seen_at) values (${name}, ${pubkey}, now(), now())
    on conflict (name) do update set seen_at = now(), pubkey = excluded.pubkey`;
  await sql`delete from coordinators where seen_at < now() - interval '1 day'`;
}

/** No coordinator of that name is running on this database. */
export class UnknownCoordinatorError extends Error {
  override name = 'UnknownCoordinatorError';
}

/** Leadership goes to `name`: the one that leads gives it up at its next renewal. @throws UnknownCoordinatorError */
export async function prefer(tx: Tx, name: string): Promise<void> {
  const known = await listCoordinators(tx);
  if (!known.some((coordinator) => coordinator.name === name))
    throw new UnknownCoordinatorError(
      `no coordinator "${name}" was seen in the last ${SEEN_MS_MAX / 1000} s; there are: ${known.map((c) => c.name).join(', ') || 'none'}`,
    );
  await tx`
    update controls set preferred = ${name},
      preferred_until = now() + ${PREFERRED_MS} * interval '1 millisecond'`;
}
