import { membersOf } from './copy-lists.ts';
import type { PackInput } from './pack.ts';
import type { PlacementProblem } from './problem.ts';

/** A hub gets at most this many times the copies of others. */
const hubCopiesMax = 3;

/**
 * Spends the budget of extra copies (`extraCopies` × write copies, over all accounts) on the most-followed accounts:
 * read copies on the members with most room. Returns the accounts that got any. `spread` and `together` spend nothing.
 */
export function spreadHubs(
  problem: PlacementProblem,
  input: PackInput,
  popularity: Uint32Array,
): Set<number> {
  const hubs = new Set<number>();
  const { lists, usable } = input;
  if (problem.hubs !== 'adaptive') return hubs;
  let budget = Math.floor((lists.accounts * lists.copies * Math.round(problem.extraCopies * 10000)) / 10000);
  for (const reads of lists.reads.values()) budget -= reads.length;
  const most = Math.min(usable.length, lists.copies * hubCopiesMax);
  const order = Array.from(popularity.keys()).sort((a, b) => popularity[b] - popularity[a] || a - b);
  for (const account of order) {
    if (budget <= 0 || popularity[account] < 2 * lists.copies) break;
    const row = membersOf(lists, account);
    const reads = lists.reads.get(account) ?? [];
    const open = usable
      .filter((member) => !row.includes(member) && input.allows(member, account))
      .sort((a, b) => input.held[a] / input.caps[a] - input.held[b] / input.caps[b] || a - b);
    const added = open.slice(0, Math.max(0, Math.min(budget, most - row.length)));
    for (const member of added) input.held[member]++;
    budget -= added.length;
    if (added.length > 0) lists.reads.set(account, [...reads, ...added]);
  }
  for (const [account, reads] of lists.reads) if (reads.length > 0) hubs.add(account);
  return hubs;
}
