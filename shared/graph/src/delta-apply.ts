import { type FollowGraph, GRAPH_SIZE_MAX } from './csr.ts';
import { type GraphDelta, GraphDeltaError } from './delta.ts';
import { changedRows } from './delta-rows.ts';

/**
 * The graph after a delta, and the delta that leads back. The given graph stays as it is. Rows that the delta does not
 * touch are copied in runs, never sorted: O(changed rows × log + accounts) and one copy of the targets; accounts that
 * are gone cost one scan of them to find their followers. 4 bytes an edge and an account beside the input. A graph over
 * shared memory gives one over shared memory.
 *
 * Applying `inverse` gives the same arrays as before, and gives `delta` back, tidied.
 * @throws GraphDeltaError when a list or a followee is outside the graph, when an account is both gone and listed, when
 * a withdrawn account is still followed, or when the result would pass {@link GRAPH_SIZE_MAX}
 */
export function applyDelta(
  graph: FollowGraph,
  delta: GraphDelta,
): { graph: FollowGraph; inverse: GraphDelta } {
  const nodes = nodesAfter(graph, delta);
  const rows = changedRows(graph, delta, nodes);
  const changed = [...rows.keys()].sort((a, b) => a - b);
  let edges = graph.edges;
  for (const [node, row] of rows) edges += row.length - lengthOf(graph, node);
  const kept = Math.min(nodes, graph.nodes);
  const cutAt = graph.offsets[kept];
  for (let node = kept; node < graph.nodes; node++) edges -= lengthOf(graph, node);
  if (edges > GRAPH_SIZE_MAX) {
    throw new GraphDeltaError(
      `${edges} follows are more than ${GRAPH_SIZE_MAX}: split the graph, or leave lists out`,
    );
  }

  const offsets = uint32Like(graph.offsets, nodes + 1);
  const targets = uint32Like(graph.targets, edges);
  const lists = new Map<number, Uint32Array>();
  let copied = 0;
  let from = 0;
  let to = 0;
  const copyRows = (end: number): void => {
    const last = Math.min(end, kept);
    const shift = to - from;
    for (let node = copied; node < last; node++) offsets[node + 1] = graph.offsets[node + 1] + shift;
    const stop = last > copied ? graph.offsets[last] : from;
    targets.set(graph.targets.subarray(from, stop), to);
    to += stop - from;
    from = stop;
    for (let node = Math.max(copied, kept); node < end; node++) offsets[node + 1] = to;
    copied = end;
  };
  for (const node of changed) {
    copyRows(node);
    const row = rows.get(node) as Uint32Array;
    targets.set(row, to);
    to += row.length;
    offsets[node + 1] = to;
    copied = node + 1;
    if (node < graph.nodes) {
      lists.set(node, graph.targets.slice(from, graph.offsets[node + 1]));
      from = graph.offsets[node + 1];
    }
  }
  copyRows(nodes);
  for (let node = kept; node < graph.nodes; node++) {
    const row = graph.targets.slice(graph.offsets[node], graph.offsets[node + 1]);
    if (row.length > 0) lists.set(node, row);
  }
  if (from !== cutAt || to !== edges) throw new GraphDeltaError('the rows of the graph do not add up');
  const after = { nodes, edges, offsets, targets };
  if (delta.withdrawn > 0) refuseFollowed(after);
  return {
    graph: after,
    inverse: { lists, added: delta.withdrawn, gone: new Uint32Array(0), withdrawn: delta.added },
  };
}

function nodesAfter(graph: FollowGraph, { added, withdrawn }: GraphDelta): number {
  for (const [name, count] of [
    ['added', added],
    ['withdrawn', withdrawn],
  ] as const) {
    if (!Number.isInteger(count) || count < 0) throw new GraphDeltaError(`${name} is ${count}, not a count`);
  }
  if (added > 0 && withdrawn > 0) {
    throw new GraphDeltaError('one delta adds and withdraws accounts: apply two');
  }
  const nodes = graph.nodes + added - withdrawn;
  if (nodes < 0) {
    throw new GraphDeltaError(`${withdrawn} accounts withdrawn from a graph of ${graph.nodes}`);
  }
  if (nodes > GRAPH_SIZE_MAX) {
    throw new GraphDeltaError(`${nodes} accounts are more than ${GRAPH_SIZE_MAX}: split the graph`);
  }
  return nodes;
}

/** Rows are sorted, so each row's last entry tells whether it names a withdrawn account. */
function refuseFollowed({ nodes, offsets, targets }: FollowGraph): void {
  for (let node = 0; node < nodes; node++) {
    const end = offsets[node + 1];
    if (end > offsets[node] && targets[end - 1] >= nodes) {
      throw new GraphDeltaError(
        `account ${node} still follows ${targets[end - 1]}, which is withdrawn: replace its list too`,
      );
    }
  }
}

function lengthOf(graph: FollowGraph, node: number): number {
  return node < graph.nodes ? graph.offsets[node + 1] - graph.offsets[node] : 0;
}

function uint32Like(sample: Uint32Array, length: number): Uint32Array {
  return sample.buffer instanceof SharedArrayBuffer
    ? new Uint32Array(new SharedArrayBuffer(length * 4))
    : new Uint32Array(length);
}
