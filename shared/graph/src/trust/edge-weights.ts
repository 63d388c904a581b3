import type { FollowGraph } from '../csr.ts';

/** The weight of a follow by an account that has the full rank. */
export const WEIGHT_ONE = 255;

/**
 * What each account counts as a reader: its rank as a part of `fullRank`, in 1 / 255, rounded down, and 255 from there
 * on. So a ring that can gain B (see `shiftBound`) weighs, however large, no more than B / fullRank full readers, on
 * any celebrity and in total; and rank buys no single reader more than one reader's weight.
 * @param fullRank in units of 1 / RANK_ONE; the threshold of `admit` makes every admitted account a full reader
 * @throws RangeError when fullRank is not positive
 */
export function readerWeights(ranks: Float64Array, fullRank: number): Uint8Array {
  if (!(fullRank > 0)) throw new RangeError(`fullRank is ${fullRank}; give a positive rank`);
  const weights = new Uint8Array(ranks.length);
  for (let node = 0; node < ranks.length; node++) {
    weights[node] = ranks[node] >= fullRank ? WEIGHT_ONE : Math.floor((ranks[node] * WEIGHT_ONE) / fullRank);
  }
  return weights;
}

/**
 * The weight of each follow, beside `graph.targets`: that of the account that follows. Who is followed does not
 * count: being followed is what the weights are to measure. 1 byte an edge.
 */
export function edgeWeights(graph: FollowGraph, ranks: Float64Array, fullRank: number): Uint8Array {
  if (ranks.length !== graph.nodes) {
    throw new RangeError(`${ranks.length} ranks for ${graph.nodes} accounts`);
  }
  const byReader = readerWeights(ranks, fullRank);
  const weights = new Uint8Array(graph.edges);
  for (let node = 0; node < graph.nodes; node++) {
    weights.fill(byReader[node], graph.offsets[node], graph.offsets[node + 1]);
  }
  return weights;
}
