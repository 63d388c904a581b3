import { type FollowGraph, release, reverseGraph, uint32Array } from './csr.ts';

/**
 * The undirected graph behind a follow graph: each pair of accounts is listed in both rows, which are sorted. `edges`
 * counts row entries, so it is twice the number of pairs.
 */
export interface SymmetricGraph extends FollowGraph {
  /** of each row entry; all 1 where absent */
  readonly weights?: Uint32Array;
}

export interface SymmetricOptions {
  /**
   * What each follow weighs, beside `graph.targets`; 1 by default. A pair weighs what its two follows weigh
   * together; pairs that weigh 0 are left out.
   */
  weights?: Uint8Array | Uint32Array;
  /** a pair that follows both ways is one link of weight 1 (`once`, the default), or weighs 2; for weights always 2 */
  mutual?: 'once' | 'twice';
  /** arrays over SharedArrayBuffer */
  shared?: boolean;
}

/** The simple undirected graph: a pair that follows in either direction, or both, is one edge of weight one. */
export function undirected(g: FollowGraph): SymmetricGraph {
  return symmetricGraph(g, {});
}

/**
 * Undirected rows by merging each row of followees with the row of followers: O(nodes + edges). At the peak, beside the
 * follow graph, 4 bytes a follow for the followers and 4 an entry for the result, 5 and 8 with weights of a byte.
 * @throws RangeError when weights do not match the follows
 */
export function symmetricGraph(g: FollowGraph, options: SymmetricOptions): SymmetricGraph {
  const { weights, shared = false } = options;
  if (weights && weights.length !== g.edges) {
    throw new RangeError(`${weights.length} weights for ${g.edges} follows`);
  }
  const reversed = weights ? reverseWeighted(g, weights) : { graph: reverseGraph(g), weights: undefined };
  const out = { offsets: g.offsets, targets: g.targets, weights };
  const back = {
    offsets: reversed.graph.offsets,
    targets: reversed.graph.targets,
    weights: reversed.weights,
  };
  const weighted = weights !== undefined || options.mutual === 'twice';
  const offsets = uint32Array(g.nodes + 1, shared);
  let edges = 0;
  for (let node = 0; node < g.nodes; node++) {
    edges += mergeRows(out, back, node, null, null, 0);
    offsets[node + 1] = edges;
  }
  const targets = uint32Array(edges, shared);
  const sums = weighted ? uint32Array(edges, shared) : null;
  for (let node = 0; node < g.nodes; node++) mergeRows(out, back, node, targets, sums, offsets[node]);
  release(back.offsets, back.targets, ...(back.weights ? [back.weights] : []));
  return { nodes: g.nodes, edges, offsets, targets, ...(sums && { weights: sums }) };
}

interface Rows {
  offsets: Uint32Array;
  targets: Uint32Array;
  weights: Uint8Array | Uint32Array | undefined;
}

/** Merges the two sorted rows of one node into `targets` and `sums` (or only counts, without them). */
function mergeRows(
  a: Rows,
  b: Rows,
  node: number,
  targets: Uint32Array | null,
  sums: Uint32Array | null,
  at: number,
): number {
  let i = a.offsets[node];
  let j = b.offsets[node];
  const endA = a.offsets[node + 1];
  const endB = b.offsets[node + 1];
  let size = 0;
  while (i < endA || j < endB) {
    const x = i < endA ? a.targets[i] : 4294967296;
    const y = j < endB ? b.targets[j] : 4294967296;
    let weight = 0;
    if (x <= y) weight = a.weights ? a.weights[i] : 1;
    if (y <= x) weight += b.weights ? b.weights[j] : 1;
    if (x <= y) i++;
    if (y <= x) j++;
    if (weight === 0) continue;
    if (targets) targets[at + size] = x < y ? x : y;
    if (sums) sums[at + size] = weight;
    size++;
  }
  return size;
}

function reverseWeighted(
  g: FollowGraph,
  weights: Uint8Array | Uint32Array,
): { graph: FollowGraph; weights: Uint8Array | Uint32Array } {
  const offsets = new Uint32Array(g.nodes + 1);
  for (let i = 0; i < g.edges; i++) offsets[g.targets[i] + 1]++;
  for (let node = 0; node < g.nodes; node++) offsets[node + 1] += offsets[node];
  const cursor = offsets.slice();
  const targets = new Uint32Array(g.edges);
  const reversed = weights instanceof Uint8Array ? new Uint8Array(g.edges) : new Uint32Array(g.edges);
  for (let node = 0; node < g.nodes; node++) {
    for (let i = g.offsets[node]; i < g.offsets[node + 1]; i++) {
      const at = cursor[g.targets[i]]++;
      targets[at] = node;
      reversed[at] = weights[i];
    }
  }
  return { graph: { nodes: g.nodes, edges: g.edges, offsets, targets }, weights: reversed };
}
