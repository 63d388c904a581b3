import type { NostrEvent } from '@covey/nostr';
import type { MemberOrder, Order } from '@covey/protocol';
import type { Sql, TransactionSql } from '../index.ts';
import { pause, prefer, resume } from './controls.ts';
import { appendLog } from './log.ts';
import { changeMember } from './members.ts';

/** Who gives an order, and the order as it was signed; without `event` whoever may write to the database itself. */
export interface OrderedBy {
  actor: string;
  event?: NostrEvent | undefined;
}

export interface CarriedOut {
  /** What is so now, for people. */
  text: string;
  /** A placement that has to be queued now that this stands. */
  place?: { reason: string; force: boolean; rollbackTo?: number } | undefined;
}

/** An order that can't be carried out as things stand. */
export class ImpossibleOrderError extends Error {
  override name = 'ImpossibleOrderError';
}

/**
 * Carries out an order and writes it into the log, both or neither. Joining is the coordinator's own business, as it asks
 * the relay for proof.
 * @throws MembershipError, UnknownCoordinatorError, ImpossibleOrderError, RepeatedOrderError
 */
export async function carryOut(
  sql: Sql,
  order: Exclude<Order, { action: 'join' }>,
  by: OrderedBy,
): Promise<CarriedOut> {
  return await sql.begin(async (tx) => {
    const { subject, detail, ...done } = await act(tx, order, by.actor);
    await appendLog(tx, { ...by, action: order.action, subject, detail });
    return done;
  });
}

type Done = CarriedOut & { subject?: string; detail?: Record<string, unknown> };

async function act(
  tx: TransactionSql,
  order: Exclude<Order, { action: 'join' }>,
  actor: string,
): Promise<Done> {
  switch (order.action) {
    case 'pause':
      await pause(tx, order.reason ?? '');
      return {
        text: 'paused: no new placement is made and no move is started until covey resume; service goes on',
        detail: { reason: order.reason ?? '' },
      };
    case 'resume':
      await resume(tx);
      return { text: 'resumed', place: { reason: 'resumed', force: false } };
    case 'promote':
      await prefer(tx, order.coordinator);
      return { text: `${order.coordinator} takes the lead in a few seconds`, subject: order.coordinator };
    case 'rollback':
      return await rollback(tx, order.epoch, order.reason ?? '');
    default:
      return await onMember(tx, order, actor);
  }
}

/** The placement stays paused afterwards: the next one would undo the rollback. */
async function rollback(tx: TransactionSql, epoch: number, reason: string): Promise<Done> {
  const rows = await tx<{ kept: boolean; last: string }[]>`
    select coalesce((select table_bytes is not null from epochs where epoch = ${epoch}), false) as kept,
      (select max(epoch) from epochs) as last`;
  const { kept, last } = rows[0]!;
  if (!kept)
    throw new ImpossibleOrderError(
      `the table of epoch ${epoch} is not kept; covey epochs list --kept shows those that are`,
    );
  if (Number(last) === epoch)
    throw new ImpossibleOrderError(`epoch ${epoch} is the current one: there is nothing to roll back`);
  await pause(tx, `rolled back to epoch ${epoch}`);
  return {
    text: `a new epoch with the content of epoch ${epoch} is being made; placement is paused until covey resume`,
    subject: String(epoch),
    detail: { reason },
    place: { reason: `rollback to epoch ${epoch}`, force: true, rollbackTo: epoch },
  };
}

async function onMember(
  tx: TransactionSql,
  order: Exclude<MemberOrder, { action: 'join' }>,
  actor: string,
): Promise<Done> {
  const { action, member, reason = '' } = order;
  const { from, to } = await changeMember(tx, member, action, {
    reason: reason || WHY[action],
    actor,
  });
  return {
    text: `${member.slice(0, 16)}… is ${to}${HINT[action]}`,
    subject: member,
    detail: { from, to, reason },
    place: { reason: `member: ${action}`, force: false },
  };
}

const WHY: Record<Exclude<MemberOrder['action'], 'join'>, string> = {
  admit: 'admitted',
  refuse: 'refused',
  drain: 'drained',
  leave: 'leaves',
  reinstate: 'reinstated',
  suspend: 'suspended',
};

const HINT: Record<Exclude<MemberOrder['action'], 'join'>, string> = {
  admit: ': the next placement uses it',
  refuse: '',
  drain: ': the next placements move everything away while it serves',
  leave: ': it goes once no group names it',
  reinstate: ': the next placement uses it',
  suspend: ': it gets nothing new, and what it holds moves away',
};
