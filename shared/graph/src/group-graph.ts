import type { FollowGraph } from './csr.ts';

/** The weighted graph between communities (or groups): parallel arrays, heaviest edge first. */
export interface GroupGraph {
  /** accounts in each community */
  sizes: Uint32Array;
  /** follows inside each community */
  inside: Uint32Array;
  /** ends of the edges, `sources[i] < targets[i]` */
  sources: Uint32Array;
  targets: Uint32Array;
  /** follows between the two, in both directions together */
  weights: Uint32Array;
}

/**
 * Counts the follows between each pair of communities and keeps the heaviest.
 * @param count number of communities; `communityOf` entries lie below it
 * @param limit most edges returned (1,000 by default); ties go to the lower numbers
 */
export function groupGraph(
  g: FollowGraph,
  communityOf: Uint32Array,
  count: number,
  limit = 1000,
): GroupGraph {
  const sizes = new Uint32Array(count);
  const inside = new Uint32Array(count);
  for (let node = 0; node < g.nodes; node++) sizes[communityOf[node]]++;
  const weightOf = new Map<number, number>();
  for (let node = 0; node < g.nodes; node++) {
    const from = communityOf[node];
    for (let i = g.offsets[node]; i < g.offsets[node + 1]; i++) {
      const to = communityOf[g.targets[i]];
      if (to === from) {
        inside[from]++;
        continue;
      }
      const pair = from < to ? from * count + to : to * count + from;
      weightOf.set(pair, (weightOf.get(pair) ?? 0) + 1);
    }
  }
  const edges = [...weightOf].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, limit);
  return {
    sizes,
    inside,
    sources: Uint32Array.from(edges, ([pair]) => Math.floor(pair / count)),
    targets: Uint32Array.from(edges, ([pair]) => pair % count),
    weights: Uint32Array.from(edges, ([, weight]) => weight),
  };
}
