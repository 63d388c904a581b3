import { UndirectedGraph } from 'graphology';
import louvainModule, { type LouvainOptions } from 'graphology-communities-louvain';
import { seededRng } from './rng.ts';
import type { SymmetricGraph } from './symmetric.ts';

/** The package is CommonJS with `default` set on its function; its types describe the ES shape only. */
const louvain = louvainModule as unknown as {
  detailed(graph: UndirectedGraph, options: LouvainOptions): { communities: Record<string, number> };
};

/**
 * Louvain (Blondel et al. 2008) by graphology-communities-louvain, on undirected rows. The engine for small graphs and
 * the oracle for ours: some 500 bytes and 5 µs an edge, most of it for building graphology's graph.
 */
export function graphologyLouvain(u: SymmetricGraph, seed: number, resolution: number): Uint32Array {
  const communityOf = new Uint32Array(u.nodes);
  const graph = new UndirectedGraph();
  for (let node = 0; node < u.nodes; node++) graph.addNode(node);
  for (let node = 0; node < u.nodes; node++) {
    for (let i = u.offsets[node]; i < u.offsets[node + 1]; i++) {
      if (u.targets[i] > node) graph.addEdge(node, u.targets[i], u.weights && { weight: u.weights[i] });
    }
  }
  if (graph.size === 0) {
    for (let node = 0; node < u.nodes; node++) communityOf[node] = node;
    return communityOf;
  }
  const found = louvain.detailed(graph, {
    rng: seededRng(seed),
    resolution,
    getEdgeWeight: u.weights ? 'weight' : null,
  });
  for (let node = 0; node < u.nodes; node++) communityOf[node] = found.communities[node];
  return communityOf;
}
