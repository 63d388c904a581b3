/**
 * A directed follow graph in compressed sparse rows. Account u follows `targets[offsets[u] .. offsets[u + 1])`, sorted
 * ascending, without duplicates and without itself. 4 bytes an edge and 4 bytes a node.
 */
export interface FollowGraph {
  readonly nodes: number;
  readonly edges: number;
  /** nodes + 1 entries */
  readonly offsets: Uint32Array;
  readonly targets: Uint32Array;
}

/** Most accounts, and most follows, of a graph: rows in both directions still count with 32 bits. */
export const GRAPH_SIZE_MAX = 2 ** 31 - 1;

/** A graph past {@link GRAPH_SIZE_MAX}: refused before anything is allocated. */
export class GraphSizeError extends RangeError {
  override name = 'GraphSizeError';
}

/** Zeroed, over SharedArrayBuffer for threads to share. */
export function uint32Array(length: number, shared: boolean): Uint32Array {
  return shared ? new Uint32Array(new SharedArrayBuffer(length * 4)) : new Uint32Array(length);
}

/** Gives memory back at once, where a collector might wait; nothing may read the arrays afterwards. */
export function release(...arrays: (Uint8Array | Uint32Array | Float64Array)[]): void {
  for (const { buffer } of arrays) if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}

/** @throws GraphSizeError */
export function refuseOversize(nodes: number, follows: number): void {
  for (const [name, value] of [
    ['accounts', nodes],
    ['follows', follows],
  ] as const) {
    if (value <= GRAPH_SIZE_MAX) continue;
    throw new GraphSizeError(
      `${value} ${name} are more than ${GRAPH_SIZE_MAX}, which is what one graph can hold: leave out accounts that nobody vouches for, or split the graph`,
    );
  }
}

/** What building dropped, so that a caller can report it. */
export interface BuiltGraph extends FollowGraph {
  readonly selfLoops: number;
  readonly duplicates: number;
}

/**
 * Builds a graph from parallel arrays of edges (source follows target), in any order, with two counting sorts: first by
 * target, then, stably, by source, so that every row comes out sorted. O(nodes + edges); at the peak 8 bytes an edge
 * beside the input.
 * @param count how many entries of the arrays to use (all by default)
 * @param shared the graph's arrays lie over SharedArrayBuffer
 * @throws RangeError when an edge names a node outside 0 .. nodes-1; GraphSizeError
 */
export function buildGraph(
  nodes: number,
  sources: Uint32Array,
  targets: Uint32Array,
  count: number = sources.length,
  shared = false,
): BuiltGraph {
  refuseOversize(nodes, count);
  if (targets.length < count || sources.length < count)
    throw new RangeError('sources and targets differ in length');
  const byTarget = new Uint32Array(nodes + 1);
  const bySource = uint32Array(nodes + 1, shared);
  let selfLoops = 0;
  for (let i = 0; i < count; i++) {
    const from = sources[i];
    const to = targets[i];
    if (from >= nodes || to >= nodes) {
      throw new RangeError(`edge ${i} (${from} -> ${to}) names a node outside 0..${nodes - 1}`);
    }
    if (from === to) {
      selfLoops++;
      continue;
    }
    byTarget[to + 1]++;
    bySource[from + 1]++;
  }
  for (let node = 0; node < nodes; node++) {
    byTarget[node + 1] += byTarget[node];
    bySource[node + 1] += bySource[node];
  }
  const kept = count - selfLoops;
  const followers = new Uint32Array(kept);
  let cursor = byTarget.slice();
  for (let i = 0; i < count; i++) {
    if (sources[i] !== targets[i]) followers[cursor[targets[i]]++] = sources[i];
  }
  const rows = uint32Array(kept, shared);
  cursor = bySource.slice();
  for (let to = 0; to < nodes; to++) {
    for (let i = byTarget[to]; i < byTarget[to + 1]; i++) rows[cursor[followers[i]]++] = to;
  }
  release(followers, byTarget, cursor);
  const edges = dropRepeats(nodes, bySource, rows);
  // Where few repeat, the rest of the array stays unused: a copy would cost as much again for a moment.
  let trimmed = rows.subarray(0, edges);
  if (kept - edges > kept / 8) {
    trimmed = uint32Array(edges, shared);
    trimmed.set(rows.subarray(0, edges));
  }
  return { nodes, edges, offsets: bySource, targets: trimmed, selfLoops, duplicates: kept - edges };
}

/** Closes the gaps that repeated targets leave in sorted rows, in place; returns the number of edges that stay. */
function dropRepeats(nodes: number, offsets: Uint32Array, rows: Uint32Array): number {
  let write = 0;
  let start = 0;
  for (let node = 0; node < nodes; node++) {
    const end = offsets[node + 1];
    const rowStart = write;
    for (let i = start; i < end; i++) {
      if (write === rowStart || rows[write - 1] !== rows[i]) rows[write++] = rows[i];
    }
    start = end;
    offsets[node + 1] = write;
  }
  return write;
}

/** The graph of followers: v's row lists, sorted, the accounts that follow v. */
export function reverseGraph(g: FollowGraph): FollowGraph {
  const offsets = new Uint32Array(g.nodes + 1);
  for (let i = 0; i < g.edges; i++) offsets[g.targets[i] + 1]++;
  for (let node = 0; node < g.nodes; node++) offsets[node + 1] += offsets[node];
  const cursor = offsets.slice();
  const targets = new Uint32Array(g.edges);
  for (let node = 0; node < g.nodes; node++) {
    for (let i = g.offsets[node]; i < g.offsets[node + 1]; i++) targets[cursor[g.targets[i]]++] = node;
  }
  return { nodes: g.nodes, edges: g.edges, offsets, targets };
}

/** Number of followers of each account. */
export function followerCounts(g: FollowGraph): Uint32Array {
  const counts = new Uint32Array(g.nodes);
  for (let i = 0; i < g.edges; i++) counts[g.targets[i]]++;
  return counts;
}
