import { type CopyLists, noMember } from './copy-lists.ts';
import { isAdmitted } from './hashed.ts';
import type { PlacementProblem, Shortfall } from './problem.ts';

/** Share of a member's copies that pins may claim, in thousandths; pins past it are soft. */
const pinQuota = 750;

/**
 * Puts the members that accounts named first in their rows, in the order named; accounts are served in the order of the map.
 * A pin is hard while the member has quota left; it is soft, and counted, when its quota is used up, when the member is
 * not usable or denies the account, past `copies` names, and where the account is not admitted.
 * @returns how many hard pins stand at the front of each account's row
 */
export function applyPins(
  problem: PlacementProblem,
  lists: CopyLists,
  usable: readonly number[],
  shares: Float64Array,
  shortfalls: Shortfall[],
): Uint8Array {
  const fixed = new Uint8Array(lists.accounts);
  if (!problem.pins) return fixed;
  const isUsable = new Set(usable);
  const claimed = new Float64Array(shares.length);
  let soft = 0;
  for (const account of problem.pins.keys()) {
    if (account >= lists.accounts) continue;
    const named = problem.pins.get(account) ?? [];
    if (!isAdmitted(problem, account)) {
      soft++;
      continue;
    }
    const hard: number[] = [];
    for (const member of named) {
      if (hard.length === lists.copies || hard.includes(member)) continue;
      const quota = Math.ceil((shares[member] * pinQuota) / 1000);
      if (!isUsable.has(member) || problem.members[member].denied?.(account) || claimed[member] >= quota)
        continue;
      claimed[member]++;
      hard.push(member);
    }
    if (hard.length < Math.min(lists.copies, new Set(named).size)) soft++;
    if (hard.length === 0) continue;
    fixed[account] = hard.length;
    putFirst(lists, account, hard);
  }
  if (soft > 0) {
    const detail = `${soft} pinned accounts are not admitted, or name members that are unusable, deny them, or are past their quota of pins`;
    shortfalls.push({ constraint: 'pins', accounts: soft, detail });
  }
  return fixed;
}

/** Pinned members first, then what the row had, in its order. */
function putFirst(lists: CopyLists, account: number, hard: readonly number[]): void {
  const start = account * lists.copies;
  const row = [...hard];
  for (let copy = 0; copy < lists.copies; copy++) {
    const member = lists.writes[start + copy];
    if (member !== noMember && !row.includes(member)) row.push(member);
  }
  for (let copy = 0; copy < lists.copies; copy++) lists.writes[start + copy] = row[copy] ?? noMember;
  const reads = lists.reads.get(account)?.filter((member) => !row.slice(0, lists.copies).includes(member));
  if (reads && reads.length > 0) lists.reads.set(account, reads);
  else lists.reads.delete(account);
}
