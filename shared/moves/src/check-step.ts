import { MOVE_PHASES, type PlacementTable, SLOT_GROUPS, type TableGroup, type TableMove } from '@covey/table';
import { sameMembers } from './lists.ts';
import { type KeyOf, RowPairs, UNKNOWN_GROUP } from './row-pairs.ts';

/** One table does not follow from the other: accounts would be read where they are not, or a phase was left out. */
export class IllegalStepError extends Error {
  override name = 'IllegalStepError';
}

interface Place {
  list: TableGroup;
  move: TableMove | undefined;
}

/**
 * Checks that `next` is one step from `current` for every key: a list changes its members by way of all phases, in order,
 * unless none of them is in the new table (all copies were lost). What a coordinator signs, and what it audits.
 * @throws IllegalStepError naming the group
 */
export function checkStep(current: PlacementTable, next: PlacementTable, keyOf: KeyOf): void {
  if (next.epoch !== current.epoch + 1)
    throw new IllegalStepError(`epoch ${next.epoch} does not follow epoch ${current.epoch}`);
  const index = new Map(next.members.map(({ id }, i) => [id, i]));
  const translate = (list: TableGroup): TableGroup => ({
    ...list,
    members: list.members.map((member) => index.get(current.members[member]!.id) ?? -1 - member),
  });
  const before = placesOf(current, translate);
  const after = placesOf(next, (list) => list);
  const seen = new Set<number>();
  const check = (from: number, to: number) => {
    if (from === UNKNOWN_GROUP || to === UNKNOWN_GROUP) return;
    const number = from * 2 ** 26 + to;
    if (seen.has(number)) return;
    seen.add(number);
    const reason = whyNot(before(from), after(to));
    if (reason) throw new IllegalStepError(`accounts from group ${from} to group ${to}: ${reason}`);
  };
  for (let slot = 0; slot < SLOT_GROUPS; slot++) check(slot, slot);
  new RowPairs(current, next, keyOf).forEach((_bytes, _at, _whole, from, to) => {
    check(from, to);
  });
}

function placesOf(
  table: PlacementTable,
  translate: (list: TableGroup) => TableGroup,
): (group: number) => Place {
  const moves = new Map(table.moves().map((move) => [move.group, move]));
  return (group) => {
    const move = moves.get(group);
    return {
      list: translate(table.group(group)),
      move: move && { ...move, from: translate(move.from) },
    };
  };
}

/** Why an account may not go from one place to the other in one epoch; undefined when it may. */
function whyNot(before: Place, after: Place): string | undefined {
  const was = before.move;
  const is = after.move;
  if (!was && !is) {
    const lost = before.list.members.every((member) => member < 0);
    return sameMembers(before.list, after.list) || lost ? undefined : 'its list changed at once';
  }
  if (!was)
    return is!.phase === MOVE_PHASES[0] && sameMembers(is!.from, before.list)
      ? undefined
      : `it set out in phase ${is!.phase}, or from another list`;
  if (!is) {
    if (was.phase !== 'clean-up') return `it arrived from phase ${was.phase}`;
    return sameMembers(before.list, after.list) ? undefined : 'it arrived at another list';
  }
  const early = was.phase === 'write-both-read-old' || was.phase === 'copy';
  const onward = sameMembers(was.from, is.from) && sameMembers(before.list, after.list);
  const steps = MOVE_PHASES.indexOf(is.phase) - MOVE_PHASES.indexOf(was.phase);
  if (onward && (steps === 0 || steps === 1)) return undefined;
  if (early && is.phase === 'write-both-read-old' && sameMembers(was.from, is.from)) return undefined;
  if (
    early &&
    is.phase === 'write-both-read-new' &&
    sameMembers(was.from, after.list) &&
    sameMembers(before.list, is.from)
  )
    return undefined;
  return `it went from phase ${was.phase} to ${is.phase}`;
}
