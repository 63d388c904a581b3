import type { NostrEvent } from '@covey/nostr';
import type { Sql, TransactionSql } from '../index.ts';

/** Something that somebody did to the cluster. */
export interface LogEntry {
  /** A public key (hex), or `database:user@host` for whoever used the database itself. */
  actor: string;
  action: string;
  subject?: string | undefined;
  detail?: Record<string, unknown> | undefined;
  /** The signed order. */
  event?: NostrEvent | undefined;
}

export interface LoggedEntry extends LogEntry {
  id: number;
  /** ISO 8601. */
  at: string;
}

/** This very order was carried out before. */
export class RepeatedOrderError extends Error {
  override name = 'RepeatedOrderError';
}

/** Appends to the log, in the transaction of what is done. @throws RepeatedOrderError */
export async function appendLog(
  tx: Sql | TransactionSql,
  { actor, action, subject, detail = {}, event }: LogEntry,
): Promise<void> {
  const rows = await tx`
    insert into authority_log (actor, action, subject, detail, event, event_id)
    values (${actor}, ${action}, ${subject ?? null}, ${tx.json(detail as never)},
      ${event ? JSON.stringify(event) : null}::text::json, ${event?.id ?? null})
    on conflict (event_id) do nothing returning id`;
  if (rows.length === 0)
    throw new RepeatedOrderError('this order was carried out before; sign a new one to repeat it');
}

/** Newest first. @param before only entries with a lower id. */
export async function readLog(
  sql: Sql,
  { limit, before }: { limit: number; before?: number | undefined },
): Promise<LoggedEntry[]> {
  const rows = await sql<
    {
      id: string;
      at: Date;
      actor: string;
      action: string;
      subject: string | null;
      detail: Record<string, unknown>;
      event: NostrEvent | null;
    }[]
  >`
    select id, at, actor, action, subject, detail, event from authority_log
    where id < ${before ?? Number.MAX_SAFE_INTEGER} order by id desc limit ${limit}`;
  return rows.map(({ id, at, subject, event, ...rest }) => ({
    id: Number(id),
    at: at.toISOString(),
    ...rest,
    ...(subject === null ? {} : { subject }),
    ...(event === null ? {} : { event }),
  }));
}
