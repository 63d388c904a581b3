import { MOVE_PHASES, type MovePhase, type PlacementTable, SLOT_GROUPS } from '@covey/table';
import { newHolders } from './lists.ts';

/** Moves under way, for people to see. */
export interface MoveCounts {
  groups: number;
  /** Slots among them. */
  slots: number;
  byPhase: Record<MovePhase, number>;
  /** By member id: groups that it gets, and that leave it. Members without any are left out. */
  members: { id: string; incoming: number; outgoing: number }[];
}

export function countMoves(table: Pick<PlacementTable, 'moves' | 'group' | 'members'>): MoveCounts {
  const byPhase = Object.fromEntries(MOVE_PHASES.map((phase) => [phase, 0])) as Record<MovePhase, number>;
  const members = table.members.map(({ id }) => ({ id, incoming: 0, outgoing: 0 }));
  const moves = table.moves();
  let slots = 0;
  for (const { group, phase, from } of moves) {
    byPhase[phase]++;
    if (group < SLOT_GROUPS) slots++;
    const to = table.group(group);
    for (const member of newHolders(from, to)) members[member]!.incoming++;
    for (const member of newHolders(to, from)) members[member]!.outgoing++;
  }
  return {
    groups: moves.length,
    slots,
    byPhase,
    members: members.filter(({ incoming, outgoing }) => incoming + outgoing > 0),
  };
}
