import type { MovePhase, TableGroup } from '@covey/table';

/** What one group means to one member: computed once for a table, then shared by every event of the group. */
export interface GroupRoute {
  /** This member is its master or a replica (of either list during a move): it takes clients' writes. */
  writes: boolean;
  /** This member holds a copy, read copies included. */
  holds: boolean;
  /** Members that clients write to, most senior first, of the list that is read now. This member may be among them. */
  writers: readonly number[];
  /** Every other member that holds a copy: writers first, then read copies. */
  others: readonly number[];
  /** Members that may be asked for what the group's accounts wrote, in order of preference; empty when it is here. */
  readers: readonly number[];
}

/** Phases in which the list that the group leaves is still the one that is read. */
const READ_OLD: ReadonlySet<MovePhase> = new Set(['write-both-read-old', 'copy']);
/** Phases in which writes go to both lists. */
const WRITE_BOTH: ReadonlySet<MovePhase> = new Set(['write-both-read-old', 'copy', 'write-both-read-new']);

/**
 * The route of a group as member number `self` sees it, or a bystander when `self` is −1.
 * @param move phase and old list while the group changes its members
 */
export function routeOf(
  group: TableGroup,
  move: { phase: MovePhase; from: TableGroup } | undefined,
  self: number,
): GroupRoute {
  const current = move && READ_OLD.has(move.phase) ? move.from : group;
  const other = move && WRITE_BOTH.has(move.phase) ? (current === group ? move.from : group) : undefined;
  const lists = other ? [current, other] : [current];
  const writers = union(lists.map((list) => list.members.slice(0, list.copies)));
  const holders = union([writers, ...lists.map((list) => list.members.slice(list.copies))]);
  return {
    writes: writers.includes(self),
    holds: holders.includes(self),
    writers: current.members.slice(0, current.copies),
    others: holders.filter((member) => member !== self),
    readers: current.members.includes(self) ? [] : current.members,
  };
}

function union(lists: readonly (readonly number[])[]): number[] {
  return [...new Set(lists.flat())];
}
