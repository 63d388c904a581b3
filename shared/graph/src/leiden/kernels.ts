import { alone, type Scratch, slots, stays, type Workspace } from './level.ts';

/**
 * The steps of Leiden that run in shards. A shard reads what no other shard of the same step writes, so the result does
 * not depend on how many threads share the shards out, nor in which order.
 */
export type Kernel = (w: Workspace, scratch: Scratch, shard: number) => void;
export type KernelName = keyof typeof kernels;

/** Where each waiting node of the batch wants to go, all seeing the communities as the batch found them. */
function propose(w: Workspace, { linked, seen }: Scratch, shard: number): void {
  const { communityOf, communityDegree, order, waiting, wish, wishLinks, numbers } = w;
  const { starts, ends, targets, weights, degrees } = w.level;
  const scale = numbers[slots.scale];
  const batchStart = numbers[slots.batchStart];
  const from = batchStart + shard * numbers[slots.batchShard];
  const to = Math.min(from + numbers[slots.batchShard], numbers[slots.batchEnd]);
  for (let at = from; at < to; at++) {
    const node = order[at];
    wish[at - batchStart] = stays;
    if (waiting[node] === 0) continue;
    waiting[node] = 0;
    const own = communityOf[node];
    const end = ends[node];
    let seenCount = 0;
    if (weights === null) {
      for (let i = starts[node]; i < end; i++) {
        const community = communityOf[targets[i]];
        const weight = linked[community];
        if (weight === 0) seen[seenCount++] = community;
        linked[community] = weight + 1;
      }
    } else {
      for (let i = starts[node]; i < end; i++) {
        const community = communityOf[targets[i]];
        const weight = linked[community];
        if (weight === 0) seen[seenCount++] = community;
        linked[community] = weight + weights[i];
      }
    }
    const price = scale * degrees[node];
    const ownLinks = linked[own];
    let best = own;
    let bestLinks = ownLinks;
    let bestGain = ownLinks - price * (communityDegree[own] - degrees[node]);
    for (let i = 0; i < seenCount; i++) {
      const community = seen[i];
      const links = linked[community];
      linked[community] = 0;
      const gain = links - price * communityDegree[community];
      if (gain > bestGain && community !== own) {
        bestGain = gain;
        best = community;
        bestLinks = links;
      }
    }
    if (best !== own) {
      wish[at - batchStart] = best;
      wishLinks[at - batchStart] = bestLinks - ownLinks;
    } else if (bestGain < 0) {
      wish[at - batchStart] = alone;
      wishLinks[at - batchStart] = -ownLinks;
    }
  }
}

/** Neighbours of the batch's nodes that moved wait to be looked at, unless they are together with them now. */
function mark(w: Workspace, _scratch: Scratch, shard: number): void {
  const { communityOf, order, waiting, wish, numbers } = w;
  const { starts, ends, targets } = w.level;
  const batchStart = numbers[slots.batchStart];
  const from = batchStart + shard * numbers[slots.batchShard];
  const to = Math.min(from + numbers[slots.batchShard], numbers[slots.batchEnd]);
  for (let at = from; at < to; at++) {
    if (wish[at - batchStart] === stays) continue;
    const node = order[at];
    const own = communityOf[node];
    for (let i = starts[node]; i < ends[node]; i++) {
      const other = targets[i];
      if (communityOf[other] !== own) waiting[other] = 1;
    }
  }
}

/**
 * Splits the communities of a shard into sub-communities that are connected and well joined to the rest of their
 * community: each node that is still single, and well joined itself, joins the well-joined sub-community of most gain,
 * if any gains. Equal gains are decided by chance: always taking the first makes long thin sub-communities and costs
 * .003 modularity on web graphs.
 */
function refine(w: Workspace, { linked, seen }: Scratch, shard: number): void {
  const { communityOf, communityDegree, grouped, groupStarts, shardStarts, numbers } = w;
  const { refined, subDegree, joined, single } = w;
  const { starts, ends, targets, weights, degrees } = w.level;
  const scale = numbers[slots.scale];
  const tie = numbers[slots.tie];
  const seed = numbers[slots.seed];
  for (let community = shardStarts[shard]; community < shardStarts[shard + 1]; community++) {
    const from = groupStarts[community];
    const to = groupStarts[community + 1];
    if (to === from) continue;
    if (to - from === 1) {
      refined[grouped[from]] = grouped[from];
      continue;
    }
    for (let at = from; at < to; at++) {
      const node = grouped[at];
      refined[node] = node;
      subDegree[node] = degrees[node];
      single[node] = 1;
      let sum = 0;
      for (let i = starts[node]; i < ends[node]; i++) {
        if (communityOf[targets[i]] === community) sum += weights === null ? 1 : weights[i];
      }
      joined[node] = sum;
    }
    const all = communityDegree[community];
    for (let at = from; at < to; at++) {
      const node = grouped[at];
      const degree = degrees[node];
      if (single[node] === 0 || joined[node] < scale * degree * (all - degree)) continue;
      let seenCount = 0;
      for (let i = starts[node]; i < ends[node]; i++) {
        const other = targets[i];
        if (communityOf[other] !== community) continue;
        const sub = refined[other];
        const weight = linked[sub];
        if (weight === 0) seen[seenCount++] = sub;
        linked[sub] = weight + (weights === null ? 1 : weights[i]);
      }
      let best = node;
      let bestGain = 0;
      let bestLinks = 0;
      let equals = 0;
      let chance = Math.imul(node ^ seed, 0x9e3779b1) | 1;
      for (let i = 0; i < seenCount; i++) {
        const sub = seen[i];
        const links = linked[sub];
        linked[sub] = 0;
        const gain = links - scale * degree * subDegree[sub];
        if (gain <= 0 || gain < bestGain - tie) continue;
        if (joined[sub] < scale * subDegree[sub] * (all - subDegree[sub])) continue;
        if (gain > bestGain + tie) equals = 0;
        if (gain > bestGain) bestGain = gain;
        equals++;
        if (equals > 1) {
          // xorshift32 (Marsaglia 2003); one of n equals has the chance 1 / n
          chance ^= chance << 13;
          chance ^= chance >>> 17;
          chance ^= chance << 5;
          if ((chance >>> 0) % equals !== 0) continue;
        }
        best = sub;
        bestLinks = links;
      }
      if (best === node) continue;
      joined[best] += joined[node] - 2 * bestLinks;
      subDegree[best] += degree;
      refined[node] = best;
      single[best] = 0;
      single[node] = 0;
    }
  }
}

/** Rows of the level above for a shard of sub-communities; links inside count in degrees alone. */
function aggregate(w: Workspace, { at }: Scratch, shard: number): void {
  const { refined, grouped, groupStarts, shardStarts } = w;
  const { starts, ends, targets, weights, degrees } = w.level;
  const up = w.up!;
  // A shard writes where its rows would begin if nothing merged: shards never meet, and gaps stay untouched memory.
  let size = up.starts[shardStarts[shard]];
  for (let sub = shardStarts[shard]; sub < shardStarts[shard + 1]; sub++) {
    const rowStart = size;
    let degree = 0;
    for (let position = groupStarts[sub]; position < groupStarts[sub + 1]; position++) {
      const node = grouped[position];
      degree += degrees[node];
      for (let i = starts[node]; i < ends[node]; i++) {
        const other = refined[targets[i]];
        if (other === sub) continue;
        const weight = weights === null ? 1 : weights[i];
        const place = at[other];
        if (place >= rowStart && place < size && up.targets[place] === other) {
          up.weights![place] += weight;
        } else {
          at[other] = size;
          up.targets[size] = other;
          up.weights![size++] = weight;
        }
      }
    }
    up.starts[sub] = rowStart;
    up.ends[sub] = size;
    up.degrees[sub] = degree;
  }
}

export const kernels = { propose, mark, refine, aggregate } satisfies Record<string, Kernel>;
export const kernelNames = Object.keys(kernels) as KernelName[];
