import type { Enforcer } from '@covey/enforcement';
import type { Spool } from '../store/spool.ts';

/** Groups that are told of, those that lag most first: a table has thousands. */
const GROUPS_MAX = 50;
/** Oldest entries looked at for each member that something waits for. */
const ENTRIES_MAX = 500;

/**
 * How far the other copies of a group are behind what was taken here: the age, in seconds, of the oldest event of the group
 * that still waits for one of them. Groups without any are not told of.
 */
export async function replicationLag(
  spool: Spool,
  enforcer: Enforcer,
  nowMs: number,
): Promise<Map<number, number>> {
  const oldest = new Map<number, number>();
  for (const member of spool.members)
    for (const { event, spooledAtMs } of await spool.next(member, 0, ENTRIES_MAX)) {
      const group = enforcer.groupOf(event.pubkey);
      oldest.set(group, Math.min(oldest.get(group) ?? nowMs, spooledAtMs));
    }
  return new Map(
    [...oldest]
      .sort((a, b) => a[1] - b[1])
      .slice(0, GROUPS_MAX)
      .map(([group, atMs]) => [group, Math.max(0, nowMs - atMs) / 1000]),
  );
}
