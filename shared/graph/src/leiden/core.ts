import { uint32Array } from '../csr.ts';
import type { SymmetricGraph } from '../symmetric.ts';

export interface Core {
  /** the graph between the core's nodes */
  graph: SymmetricGraph;
  /** the core's nodes, ascending */
  nodeOf: Uint32Array;
}

/**
 * The graph between the nodes of highest degree, in numbers of its own. Communities of a large graph take shape there: the
 * other nodes find theirs by whom of the core they are linked with.
 * @param share of all row entries that the core's nodes have at most
 */
export function coreOf(u: SymmetricGraph, shared: boolean, share = 0.25): Core {
  const { nodes, offsets, targets, weights } = u;
  const degreeMin = coreDegree(u, share);
  const numbers = new Uint32Array(nodes);
  let count = 0;
  for (let node = 0; node < nodes; node++) {
    if (offsets[node + 1] - offsets[node] >= degreeMin) numbers[node] = ++count;
  }
  const nodeOf = new Uint32Array(count);
  const coreOffsets = uint32Array(count + 1, shared);
  let edges = 0;
  for (let node = 0; node < nodes; node++) {
    if (numbers[node] === 0) continue;
    nodeOf[numbers[node] - 1] = node;
    for (let i = offsets[node]; i < offsets[node + 1]; i++) if (numbers[targets[i]] > 0) edges++;
    coreOffsets[numbers[node]] = edges;
  }
  const coreTargets = uint32Array(edges, shared);
  const coreWeights = weights && uint32Array(edges, shared);
  let at = 0;
  for (const node of nodeOf) {
    for (let i = offsets[node]; i < offsets[node + 1]; i++) {
      if (numbers[targets[i]] === 0) continue;
      if (coreWeights) coreWeights[at] = weights[i];
      coreTargets[at++] = numbers[targets[i]] - 1;
    }
  }
  const graph = { nodes: count, edges, offsets: coreOffsets, targets: coreTargets };
  return { graph: coreWeights ? { ...graph, weights: coreWeights } : graph, nodeOf };
}

/** The least degree at which nodes of that degree or more have at most `share` of all row entries. */
function coreDegree({ nodes, edges, offsets }: SymmetricGraph, share: number): number {
  const most = 65_536;
  const entries = new Float64Array(most + 1);
  for (let node = 0; node < nodes; node++) {
    const degree = offsets[node + 1] - offsets[node];
    entries[Math.min(degree, most)] += degree;
  }
  let sum = 0;
  let degree = most + 1;
  while (degree > 1 && sum + entries[degree - 1] <= edges * share) sum += entries[--degree];
  return degree;
}
