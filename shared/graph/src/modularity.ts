import type { FollowGraph } from './csr.ts';
import { type SymmetricGraph, undirected } from './symmetric.ts';

/**
 * Newman–Girvan modularity of a partition, on the simple undirected graph behind the follow graph:
 * Q = Σ_c (inside_c / m − γ (degree_c / 2m)²), where a pair that follows both ways is one edge. 0 for a graph without
 * edges. Computed from the rows alone, so that it checks what the engines report.
 */
export function modularity(g: FollowGraph, communityOf: ArrayLike<number>, resolution = 1): number {
  return modularityOfUndirected(undirected(g), communityOf, resolution);
}

/** The same, for a caller who has the undirected rows already; with their weights. */
export function modularityOfUndirected(
  u: SymmetricGraph,
  communityOf: ArrayLike<number>,
  resolution = 1,
): number {
  if (u.edges === 0) return 0;
  let count = 0;
  for (let node = 0; node < u.nodes; node++) if (communityOf[node] >= count) count = communityOf[node] + 1;
  const degree = new Float64Array(count);
  let inside = 0;
  let total = 0;
  for (let node = 0; node < u.nodes; node++) {
    const community = communityOf[node];
    for (let i = u.offsets[node]; i < u.offsets[node + 1]; i++) {
      const weight = u.weights ? u.weights[i] : 1;
      total += weight;
      degree[community] += weight;
      if (communityOf[u.targets[i]] === community) inside += weight;
    }
  }
  let expected = 0;
  for (let community = 0; community < count; community++) expected += (degree[community] / total) ** 2;
  return inside / total - resolution * expected;
}
