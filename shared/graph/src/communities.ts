import { type FollowGraph, release } from './csr.ts';
import { leiden } from './leiden/leiden.ts';
import type { Team } from './leiden/team.ts';
import { graphologyLouvain } from './louvain.ts';
import { modularityOfUndirected } from './modularity.ts';
import { symmetricGraph } from './symmetric.ts';

export type CommunityEngine = 'louvain' | 'leiden' | 'auto';

export interface DetectOptions {
  engine: CommunityEngine;
  /** decides the order in which nodes are visited */
  seed: number;
  /** γ of modularity: more than 1 gives smaller communities. 1 by default */
  resolution?: number;
  /** warm start: an earlier community of each node (any numbers). Nodes past its end start alone */
  previous?: Uint32Array;
  /** what each follow weighs, beside `graph.targets` (`edgeWeights` gives them); 1 by default */
  weights?: Uint8Array | Uint32Array;
  /** whether a pair that follows both ways counts `once`, as modularity is usually given, or `twice`; weights add up */
  mutual?: 'once' | 'twice';
  /** threads to share the work (`ThreadTeam`); the result does not depend on it. `louvain` has one thread */
  team?: Team;
}

export interface Communities {
  /** one entry a node; communities are numbered by size, largest first, then by their smallest node */
  communityOf: Uint32Array;
  count: number;
  /** with the weights and resolution of the options */
  modularity: number;
}

/**
 * Finds communities in the undirected graph behind a follow graph: `leiden` (and `auto`) is ours, whose communities are
 * connected; `louvain` is graphology's, which knows no warm start.
 * @throws RangeError for a resolution that is not a positive number, or weights that do not match the follows
 */
export function detectCommunities(g: FollowGraph, options: DetectOptions): Communities {
  const { resolution = 1, seed, previous, team, weights, mutual } = options;
  if (!(resolution > 0) || !Number.isFinite(resolution)) {
    throw new RangeError(`resolution ${resolution} is not a positive number`);
  }
  const shared = team !== undefined && team.threads > 1;
  const u = symmetricGraph(g, { shared, ...(weights && { weights }), ...(mutual && { mutual }) });
  if (options.engine === 'louvain') {
    const { communityOf, count } = numberBySize(graphologyLouvain(u, seed, resolution));
    return { communityOf, count, modularity: modularityOfUndirected(u, communityOf, resolution) };
  }
  const found = leiden(u, { seed, resolution, ...(previous && { start: previous }), ...(team && { team }) });
  release(u.offsets, u.targets);
  return { ...numberBySize(found.communityOf), modularity: found.quality };
}

/** Renumbers communities by size descending, then by smallest member, so that labels carry no accident of a run. */
export function numberBySize(raw: Uint32Array): { communityOf: Uint32Array; count: number } {
  let most = 0;
  for (let node = 0; node < raw.length; node++) if (raw[node] > most) most = raw[node];
  const dense = new Uint32Array(raw.length);
  /** by raw number, one more than the dense one; a map where raw numbers are far apart */
  const firstSeen = most < 4 * raw.length + 1024 ? new Uint32Array(most + 1) : new Map<number, number>();
  const sizes: number[] = [];
  for (let node = 0; node < raw.length; node++) {
    let id = firstSeen instanceof Map ? (firstSeen.get(raw[node]) ?? 0) : firstSeen[raw[node]];
    if (id === 0) {
      id = sizes.push(0);
      if (firstSeen instanceof Map) firstSeen.set(raw[node], id);
      else firstSeen[raw[node]] = id;
    }
    dense[node] = id - 1;
    sizes[id - 1]++;
  }
  // Numbers given at first sight already ascend with the smallest member, so they break ties of size.
  const order = sizes.map((_, id) => id).sort((a, b) => sizes[b] - sizes[a] || a - b);
  const rank = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) rank[order[i]] = i;
  for (let node = 0; node < dense.length; node++) dense[node] = rank[dense[node]];
  return { communityOf: dense, count: order.length };
}
