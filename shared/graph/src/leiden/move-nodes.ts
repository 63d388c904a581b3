import { alone, slots, stays, type Workspace } from './level.ts';
import type { Team } from './team.ts';

/** A sweep over all nodes is cut into so many batches, at most; nodes of one batch do not see each other's moves. */
const batchesMax = 64;
const sweepsMax = 20;
/** Sweeps end when fewer than one node in so many has moved. */
const movedShare = 100;

/** What `moveNodes` needs beside the workspace; reused from level to level. */
export interface MoveMemory {
  sizes: Uint32Array;
  empty: Uint32Array;
}

/**
 * Local moves: nodes whose surroundings changed go to the community of most gain, in sweeps over a random order. A batch
 * of nodes is proposed at once, by all threads; then the moves that still gain, with the degrees of communities as they
 * are by then, are made one after the other. Links counted before another node of the same batch moved may be stale: that
 * node's neighbours wait for the next sweep and are looked at again. Small graphs have batches of one node.
 *
 * Leaves `communityDegree` true. `communityOf` need not be dense.
 *
 * @returns moves of nodes in the first sweep
 */
export function moveNodes(w: Workspace, team: Team, next: () => number, memory: MoveMemory): number {
  const { level, communityOf, communityDegree, order, waiting, numbers } = w;
  const { nodes, degrees } = level;
  const { sizes, empty } = memory;
  shuffle(order, next);
  sizes.fill(0, 0, nodes);
  communityDegree.fill(0);
  for (let node = 0; node < nodes; node++) {
    sizes[communityOf[node]]++;
    communityDegree[communityOf[node]] += degrees[node];
  }
  let emptyCount = 0;
  for (let community = nodes - 1; community >= 0; community--) {
    if (sizes[community] === 0) empty[emptyCount++] = community;
  }
  waiting.fill(1);

  const commit = (from: number, to: number): number => {
    const { wish, wishLinks } = w;
    const scale = numbers[slots.scale];
    let moved = 0;
    for (let at = from; at < to; at++) {
      let wanted = wish[at - from];
      if (wanted === stays) continue;
      const node = order[at];
      const own = communityOf[node];
      const degree = degrees[node];
      wish[at - from] = stays;
      if (wanted === alone) {
        if (sizes[own] === 1 || emptyCount === 0) continue;
        if (wishLinks[at - from] + scale * degree * (communityDegree[own] - degree) <= 0) continue;
        wanted = empty[--emptyCount];
      } else {
        const gain =
          wishLinks[at - from] + scale * degree * (communityDegree[own] - degree - communityDegree[wanted]);
        if (gain <= 0 || sizes[wanted] === 0) {
          waiting[node] = 1;
          continue;
        }
      }
      wish[at - from] = wanted;
      if (--sizes[own] === 0) empty[emptyCount++] = own;
      sizes[wanted]++;
      communityDegree[own] -= degree;
      communityDegree[wanted] += degree;
      communityOf[node] = wanted;
      moved++;
    }
    return moved;
  };

  const batch = Math.ceil(nodes / batchesMax);
  const shard = Math.max(64, Math.ceil(batch / 16));
  numbers[slots.batchShard] = shard;
  let movedFirst = 0;
  for (let sweep = 0; sweep < sweepsMax; sweep++) {
    let moved = 0;
    for (let from = 0; from < nodes; from += batch) {
      const to = Math.min(from + batch, nodes);
      numbers[slots.batchStart] = from;
      numbers[slots.batchEnd] = to;
      const shards = Math.ceil((to - from) / shard);
      team.run('propose', shards);
      const movedNow = commit(from, to);
      if (movedNow > 0) team.run('mark', shards);
      moved += movedNow;
    }
    if (sweep === 0) movedFirst = moved;
    if (moved * movedShare < nodes || moved === 0) break;
  }
  return movedFirst;
}

/** 0 … length − 1 in random order (Fisher–Yates). */
function shuffle(order: Uint32Array, next: () => number): void {
  for (let i = 0; i < order.length; i++) {
    const j = Math.floor((next() / 4294967296) * (i + 1));
    order[i] = order[j];
    order[j] = i;
  }
}
