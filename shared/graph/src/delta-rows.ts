import type { FollowGraph } from './csr.ts';
import { type GraphDelta, GraphDeltaError } from './delta.ts';

/**
 * The rows that a delta replaces, sorted and without repeats: the lists it names, the empty rows of accounts that are
 * gone, and the rows of those who followed them. Rows that would stay as they are may be among them.
 */
export function changedRows(graph: FollowGraph, delta: GraphDelta, nodes: number): Map<number, Uint32Array> {
  const gone = goneMarks(graph, delta, nodes);
  const rows = new Map<number, Uint32Array>();
  for (const [node, list] of delta.lists) {
    if (!Number.isInteger(node) || node < 0 || node >= nodes) {
      throw new GraphDeltaError(`a list of account ${node}, which is not in 0..${nodes - 1}`);
    }
    if (gone?.[node]) throw new GraphDeltaError(`account ${node} is gone, and has a new list`);
    rows.set(node, tidied(node, list, nodes, gone));
  }
  if (gone === null) return rows;
  for (const node of delta.gone) rows.set(node, new Uint32Array(0));
  const kept = Math.min(nodes, graph.nodes);
  for (let node = 0; node < kept; node++) {
    const start = graph.offsets[node];
    const end = graph.offsets[node + 1];
    let i = start;
    while (i < end && !gone[graph.targets[i]]) i++;
    if (i === end || rows.has(node)) continue;
    rows.set(
      node,
      graph.targets.slice(start, end).filter((followee) => !gone[followee]),
    );
  }
  return rows;
}

/** One mark an account, or null where nobody is gone. */
function goneMarks(graph: FollowGraph, delta: GraphDelta, nodes: number): Uint8Array | null {
  if (delta.gone.length === 0) return null;
  const marks = new Uint8Array(Math.max(nodes, graph.nodes));
  for (const node of delta.gone) {
    if (node >= nodes) throw new GraphDeltaError(`account ${node} is gone, but not in 0..${nodes - 1}`);
    marks[node] = 1;
  }
  return marks;
}

function tidied(node: number, list: Uint32Array, nodes: number, gone: Uint8Array | null): Uint32Array {
  const sorted = list.toSorted();
  if (sorted.length > 0 && sorted[sorted.length - 1] >= nodes) {
    throw new GraphDeltaError(
      `account ${node} would follow ${sorted[sorted.length - 1]}, which is not in 0..${nodes - 1}`,
    );
  }
  let size = 0;
  for (const followee of sorted) {
    if (followee === node || gone?.[followee] || (size > 0 && sorted[size - 1] === followee)) continue;
    sorted[size++] = followee;
  }
  return sorted.slice(0, size);
}
