import type { MovePhase, TableGroup } from '@covey/table';
import type { OverlaidList, Overlay } from './overlay.ts';

/** What one group means to one member: computed once for a table, then shared by every event of the group. */
export interface GroupRoute {
  /** This member is its master or a replica (of either list during a move), or acts for one: it takes clients' writes. */
  writes: boolean;
  /** This member holds a copy, read copies included. */
  holds: boolean;
  /** This member holds a copy in place of a dead one: what it has may be nothing yet. */
  appointed: boolean;
  /**
   * Members that clients write to, the (acting) master first, of the list that is read now. This member may be among them;
   * nobody is while all copies are dead and nobody could be appointed.
   */
  writers: readonly number[];
  /** Every other member that holds a copy, dead ones at the end: writers first, then read copies. */
  others: readonly number[];
  /** Other members whose copies are those of the table: not of appointed ones. */
  originals: readonly number[];
  /** Members that may be asked for what the group's accounts wrote, in order of preference; empty when it is here. */
  readers: readonly number[];
  /** Members to ask while this member's own copy is being filled. */
  sources: readonly number[];
  /** Some copy lives, or somebody was appointed. Else `readers` are the dead: all that can be done is to try them. */
  available: boolean;
}

/** Phases in which the list that the group leaves is still the one that is read. */
const READ_OLD: ReadonlySet<MovePhase> = new Set(['write-both-read-old', 'copy']);
/** Phases in which writes go to both lists. */
const WRITE_BOTH: ReadonlySet<MovePhase> = new Set(['write-both-read-old', 'copy', 'write-both-read-new']);

/** The two lists of a group: which is read now, and which other one is written as well. */
export function listsOf(
  group: TableGroup,
  move: { phase: MovePhase; from: TableGroup } | undefined,
): { current: TableGroup; other: TableGroup | undefined } {
  const current = move && READ_OLD.has(move.phase) ? move.from : group;
  const other = move && WRITE_BOTH.has(move.phase) ? (current === group ? move.from : group) : undefined;
  return { current, other };
}

/**
 * The route of a group as member number `self` sees it, or a bystander when `self` is −1.
 * @param move phase and old list while the group changes its members
 * @param number of the group, and who of the members is dead; when nobody is, the table holds as it is
 */
export function routeOf(
  group: TableGroup,
  move: { phase: MovePhase; from: TableGroup } | undefined,
  self: number,
  number = -1,
  overlay?: Overlay,
): GroupRoute {
  const { current, other } = listsOf(group, move);
  const lists = other ? [current, other] : [current];
  const writers = union(lists.map((list) => list.members.slice(0, list.copies)));
  const holders = union([writers, ...lists.map((list) => list.members.slice(list.copies))]);
  const others = holders.filter((member) => member !== self);
  if (overlay)
    return overlaid(overlay, overlay.list(number, current, other), { writers, holders, others, self }, other);
  return {
    writes: writers.includes(self),
    holds: holders.includes(self),
    appointed: false,
    writers: current.members.slice(0, current.copies),
    others,
    originals: others,
    readers: current.members.includes(self) ? [] : current.members,
    sources: others,
    available: true,
  };
}

/** The same while members are dead. */
function overlaid(
  overlay: Overlay,
  { members, copies, dead, appointed }: OverlaidList,
  table: { writers: readonly number[]; holders: readonly number[]; others: readonly number[]; self: number },
  other: TableGroup | undefined,
): GroupRoute {
  const { self } = table;
  const isAppointed = appointed.includes(self);
  const originals = table.others;
  const living = union([members, overlay.living(table.holders)]).filter((member) => member !== self);
  const others = union([living, originals]);
  // Where no copy of the list lives, the group's other list has all that was written since the move began.
  const readable =
    members.length > appointed.length ? members : union([overlay.living(other?.members ?? []), members]);
  const available = readable.length > 0;
  return {
    writes: isAppointed || table.writers.includes(self) || members.slice(0, copies).includes(self),
    holds: isAppointed || table.holders.includes(self),
    appointed: isAppointed,
    writers: available ? (copies > 0 ? members.slice(0, copies) : readable) : [],
    others,
    originals,
    readers: members.includes(self) || readable.includes(self) ? [] : available ? readable : dead,
    sources: living.length > 0 ? living : originals,
    available,
  };
}

function union(lists: readonly (readonly number[])[]): number[] {
  return [...new Set(lists.flat())];
}
