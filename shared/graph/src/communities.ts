import { type FollowGraph, undirected } from './csr.ts';
import { leiden } from './leiden.ts';
import { graphologyLouvain } from './louvain.ts';
import { modularityOfUndirected } from './modularity.ts';

export type CommunityEngine = 'louvain' | 'leiden' | 'auto';

export interface DetectOptions {
  engine: CommunityEngine;
  /** decides the order in which nodes are visited */
  seed: number;
  /** γ of modularity: more than 1 gives smaller communities. 1 by default */
  resolution?: number;
  /** warm start: an earlier community of each node (any numbers). Nodes past its end start alone */
  previous?: Uint32Array;
}

export interface Communities {
  /** one entry a node; communities are numbered by size, largest first, then by their smallest node */
  communityOf: Uint32Array;
  count: number;
  modularity: number;
}

/**
 * Finds communities in the simple undirected graph behind a follow graph: `leiden` (and `auto`) is ours, whose
 * communities are connected; `louvain` is graphology's, which knows no warm start.
 * @throws RangeError for a resolution that is not a positive number
 */
export function detectCommunities(g: FollowGraph, options: DetectOptions): Communities {
  const resolution = options.resolution ?? 1;
  if (!(resolution > 0) || !Number.isFinite(resolution)) {
    throw new RangeError(`resolution ${resolution} is not a positive number`);
  }
  const u = undirected(g);
  const raw =
    options.engine === 'louvain'
      ? graphologyLouvain(u, options.seed, resolution)
      : leiden(u, { seed: options.seed, resolution, ...(options.previous && { start: options.previous }) });
  const { communityOf, count } = numberBySize(raw);
  return { communityOf, count, modularity: modularityOfUndirected(u, communityOf, resolution) };
}

/** Renumbers communities by size descending, then by smallest member, so that labels carry no accident of a run. */
export function numberBySize(raw: Uint32Array): { communityOf: Uint32Array; count: number } {
  const firstSeen = new Map<number, number>();
  const dense = new Uint32Array(raw.length);
  const sizes: number[] = [];
  for (let node = 0; node < raw.length; node++) {
    let id = firstSeen.get(raw[node]);
    if (id === undefined) {
      id = sizes.length;
      firstSeen.set(raw[node], id);
      sizes.push(0);
    }
    dense[node] = id;
    sizes[id]++;
  }
  // Numbers given at first sight already ascend with the smallest member, so they break ties of size.
  const order = sizes.map((_, id) => id).sort((a, b) => sizes[b] - sizes[a] || a - b);
  const rank = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) rank[order[i]] = i;
  for (let node = 0; node < dense.length; node++) dense[node] = rank[dense[node]];
  return { communityOf: dense, count: order.length };
}
