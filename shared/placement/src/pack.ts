import type { FollowGraph } from '@covey/graph';
import { type CopyLists, noMember } from './copy-lists.ts';
import type { SearchLimits } from './search/state.ts';

export interface PackInput {
  graph: FollowGraph;
  followers: FollowGraph;
  lists: CopyLists;
  /** accounts that the search places; the others pull nobody */
  counts: (account: number) => boolean;
  usable: readonly number[];
  /** most copies a member may hold */
  caps: Float64Array;
  /** copies that each member holds; kept up to date */
  held: Float64Array;
  /** masters that each member has; kept up to date */
  masters: Float64Array;
  limits: SearchLimits;
}

/**
 * Fills the free places of a part's rows with the same members for all its accounts where it can: the members that hold
 * most of what the part follows and of those who follow it, among those with room and of operators not yet in the list;
 * then, for accounts that a member denies or where room ran out, one by one. Parts are placed in the order given.
 */
export function packPart(input: PackInput, part: Uint32Array): void {
  const { lists } = input;
  const affinity = affinityOf(input, part);
  for (let copy = 0; copy < lists.copies; copy++) {
    let wanted = -1;
    for (const account of part) {
      const at = account * lists.copies + copy;
      if (lists.writes[at] !== noMember) continue;
      if (wanted < 0 || !fits(input, account, wanted, true)) {
        wanted = bestMember(input, account, affinity, copy === 0);
        if (wanted < 0) continue;
      }
      lists.writes[at] = wanted;
      input.held[wanted]++;
      if (copy === 0) input.masters[wanted]++;
    }
  }
}

/** Edges between a part and what each member holds by now. */
function affinityOf(input: PackInput, part: Uint32Array): Float64Array {
  const affinity = new Float64Array(input.caps.length);
  const { lists } = input;
  for (const rows of [input.graph, input.followers]) {
    for (const account of part) {
      for (let i = rows.offsets[account]; i < rows.offsets[account + 1]; i++) {
        if (!input.counts(rows.targets[i])) continue;
        const at = rows.targets[i] * lists.copies;
        for (let copy = 0; copy < lists.copies; copy++) {
          const member = lists.writes[at + copy];
          if (member !== noMember) affinity[member]++;
        }
      }
    }
  }
  return affinity;
}

/** May this member take the account? `strict` also keeps operators apart and caps. */
function fits(input: PackInput, account: number, member: number, strict: boolean): boolean {
  const { lists } = input;
  const { domainOf, denied } = input.limits;
  for (let copy = 0; copy < lists.copies; copy++) {
    const other = lists.writes[account * lists.copies + copy];
    if (other === noMember) continue;
    if (other === member || (input.limits.strictDomains && strict && domainOf[other] === domainOf[member]))
      return false;
  }
  if (lists.reads.get(account)?.includes(member)) return false;
  return (!strict || input.held[member] < input.caps[member]) && !denied.get(account)?.has(member);
}

/** The best member for an account; constraints that cannot all hold are given up in a fixed order: domain and cap. */
function bestMember(input: PackInput, account: number, affinity: Float64Array, master: boolean): number {
  for (const strict of [true, false]) {
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const member of input.usable) {
      if (!fits(input, account, member, strict)) continue;
      const room = 1 - input.held[member] / input.caps[member];
      const score = strict
        ? (affinity[member] + 1) * room - (master ? input.masters[member] / input.caps[member] : 0)
        : room;
      if (score > bestScore) {
        bestScore = score;
        best = member;
      }
    }
    if (best >= 0) return best;
  }
  return -1;
}
