import type { PlaceResult } from '@covey/jobs';
import { placedMembers, type Sql } from '@covey/postgres';
import {
  compareTables,
  encodeTable,
  PlacementTable,
  type TableContent,
  type TableMember,
} from '@covey/table';
import { commitTarget, type MoveContext } from '../moves/commit-target.ts';
import type { Serial } from '../moves/serial.ts';
import { readTarget } from '../moves/target-store.ts';
import type { CommitContext } from './commit-draft.ts';
import { lastEpoch, tableOf } from './epoch-store.ts';

/** Orders in the log that are looked at. */
const ORDERS_MAX = 10;

/** An old content can't come back; the message says why. */
export class RollbackError extends Error {
  override name = 'RollbackError';
}

/**
 * Makes the content of an older epoch the target, and the first step to it the next epoch: what is on its way turns back.
 * @param nowMs Unix milliseconds
 * @throws RollbackError, FencedError
 */
export async function rollbackTo(
  context: CommitContext & { moves: MoveContext; serial: Serial },
  epoch: number,
  reason: string,
  nowMs: number,
): Promise<PlaceResult> {
  const draft = await context.serial.run(async () => {
    const last = await lastEpoch(context.sql);
    if (!last || epoch >= last.epoch) throw new RollbackError(`there is no epoch after ${epoch}`);
    const old = new PlacementTable(await tableOf(context.sql, epoch));
    const current = new PlacementTable(await tableOf(context.sql, last.epoch));
    const content = withMembersOfToday(old.content(), await placedMembers(context.sql));
    const table = new PlacementTable(encodeTable({ ...content, epoch: last.epoch + 1 }));
    const { moved } = compareTables(current, old).accounts;
    return await commitTarget(context, context.moves, last, { table, nowMs, reason, moved });
  });
  return {
    changed: true,
    epoch: draft.epoch,
    root: draft.root,
    counts: draft.counts,
    modularity: 0,
    tableBytes: draft.table.length,
    deltaBytes: draft.delta?.length ?? null,
    ms: {},
  };
}

/** The old lists with the URLs, capacities and states that members have now. @throws RollbackError */
function withMembersOfToday(old: TableContent, today: readonly TableMember[]): TableContent {
  const byId = new Map(today.map((member) => [member.id, member]));
  const members = old.members.map((was) => {
    const now = byId.get(was.id);
    if (!now)
      throw new RollbackError(
        `epoch ${old.epoch} puts accounts on ${was.name} (${was.id.slice(0, 16)}…), which is no member any more`,
      );
    return now;
  });
  // A move of then is over: everybody goes by the list that it led to.
  return { ...old, members, moves: [] };
}

/** An order of an admin to go back, and the placement that follows from it. */
export interface OrderedRollback {
  /** The older epoch. */
  epoch: number;
  /** Root of the placement that has its content. */
  root: string;
}

/**
 * The order in the log that the placement on its way follows from, if it is a rollback's: the target has the lists of the older
 * epoch to the byte, with what is known of the members today. For who signs epochs of others, or audits them: only while the
 * placement is the one on its way, and the older table is kept.
 * @param wanted root of the placement that an epoch is on its way to
 */
export async function orderedRollback(sql: Sql, wanted: string | null): Promise<OrderedRollback | undefined> {
  const target = (await readTarget(sql))?.table;
  if (!target || target.root !== wanted) return undefined;
  const orders = await sql<{ epoch: number }[]>`
    select subject::int as epoch from authority_log where action = 'rollback' order by id desc limit ${ORDERS_MAX}`;
  for (const { epoch } of orders) {
    const kept = await tableOf(sql, epoch).catch(() => undefined);
    if (kept && hasListsOf(target, new PlacementTable(kept))) return { epoch, root: target.root };
  }
  return undefined;
}

/** Whether two tables differ in nothing but what they say of the same members, moves that go on, and the number of the epoch. */
function hasListsOf(target: PlacementTable, old: PlacementTable): boolean {
  const { members, epoch } = target;
  const isSame =
    old.members.length === members.length && old.members.every(({ id }, i) => id === members[i]!.id);
  if (!isSame) return false;
  const again = encodeTable({ ...old.content(), members, moves: [], epoch });
  return Buffer.compare(again, target.bytes) === 0;
}
