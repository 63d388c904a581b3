import { type CopyLists, noMember } from './copy-lists.ts';
import { InvalidProblemError, type PlacementProblem } from './problem.ts';
import { placeSlots, SLOTS } from './slots.ts';

export function isAdmitted(problem: PlacementProblem, account: number): boolean {
  return problem.admitted === undefined || problem.admitted[account] === 1;
}

export function countAdmitted(problem: PlacementProblem): number {
  const { admitted, graph } = problem;
  if (!admitted) return graph.nodes;
  let count = 0;
  for (let account = 0; account < graph.nodes; account++) count += admitted[account];
  return count;
}

/**
 * Gives accounts that are not admitted the members of their slot, so that readers who follow them count with where they
 * live. They count in nobody's share of copies.
 * @throws InvalidProblemError when an account's slot is none
 */
export function placeHashed(problem: PlacementProblem, lists: CopyLists): void {
  const { admitted, slots } = problem;
  if (!admitted) return;
  let groups: readonly { members: readonly number[] }[] | undefined;
  for (let account = 0; account < lists.accounts; account++) {
    if (admitted[account] === 1) continue;
    const slot = slots ? slots[account] : account % SLOTS;
    if (!Number.isInteger(slot) || slot < 0 || slot >= SLOTS) {
      throw new InvalidProblemError(
        `slot of account ${account} is ${slot}, not a whole number below ${SLOTS}`,
      );
    }
    groups ??= placeSlots(problem.members, lists.copies);
    const { members } = groups[slot];
    for (let copy = 0; copy < lists.copies; copy++) {
      lists.writes[account * lists.copies + copy] = members[copy] ?? noMember;
    }
    lists.reads.delete(account);
  }
}
