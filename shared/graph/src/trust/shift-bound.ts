import type { FollowGraph } from '../csr.ts';
import { RANK_ONE, type TrustRanks } from './rank-accounts.ts';

/**
 * The most rank that fake follows can move, from what was known before they were made: for attack edges A, given as
 * the number of follows a(u) that each deceived account u adds, in units of 1 / RANK_ONE,
 *
 *     B = d / (1 − d) × Σ_u rank(u) × a(u) / max(follows(u) + a(u), followsMin)   (+ rounding), d = damping.
 *
 * Whoever stands behind the edges (new accounts, any number, following each other and anybody):
 * - their ranks sum to at most B;
 * - what all other accounts gain sums, with that, to at most B: a celebrity that the ring follows included;
 * - all ranks together shift by at most 2 B (sum of absolute differences), for one follow between any two accounts too.
 *
 * Why: run the walk before and after on the same dice. They part only where an attack edge is taken; an account is
 * visited rank(u) / (1 − d) times before that, and each visit takes one with chance d × a(u) / max(…). A walk that is
 * caught ends somewhere once, and so pays at most one. A deceived account that no seed's trust reaches carries nothing.
 * Without seeds nothing is bounded: B is all there is.
 *
 * The rounding is what flooring can lose: less than one unit an edge, and two an account, a step.
 * @param added follows added by each deceived account (existing accounts of `graph`)
 * @param newFollows follows among the new accounts, and of theirs; they only count for the rounding
 */
export function shiftBound(
  graph: FollowGraph,
  trust: TrustRanks,
  added: ReadonlyMap<number, number>,
  newFollows = 0,
): number {
  if (trust.basis === 'equal') return RANK_ONE;
  let caught = 0;
  let follows = newFollows;
  for (const [account, count] of added) {
    if (!(account >= 0 && account < graph.nodes)) {
      throw new RangeError(`account ${account} is not in this graph (0..${graph.nodes - 1})`);
    }
    const before = graph.offsets[account + 1] - graph.offsets[account];
    caught += (trust.ranks[account] * count) / Math.max(before + count, trust.followsMin);
    follows += count;
  }
  const lost = (graph.edges + 2 * graph.nodes + follows) * (trust.stepsMax + 1);
  return Math.min(RANK_ONE, (caught * trust.dampingPercent + lost * 100) / (100 - trust.dampingPercent));
}
