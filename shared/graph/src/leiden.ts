import type { FollowGraph } from './csr.ts';
import { seededUint32 } from './rng.ts';

export interface LeidenOptions {
  seed: number;
  resolution: number;
  /** start from these communities (dense or not, one a node) instead of from singletons */
  start?: Uint32Array;
  /** passes over the whole graph at most; stops earlier when one gains less than `gainMin` modularity */
  passesMax?: number;
  gainMin?: number;
}

/** An undirected weighted graph of one level: symmetric rows, loops apart. */
interface Level {
  nodes: number;
  offsets: Uint32Array;
  targets: Uint32Array;
  /** weight of each row entry; all 1 where null (the first level) */
  weights: Float64Array | null;
  /** Σ of row weights plus twice the loops */
  degrees: Float64Array;
}

/**
 * Leiden (Traag, Waltman and van Eck 2019, "From Louvain to Leiden") for modularity with resolution γ, on symmetric
 * rows without loops.
 *
 * Each pass: fast local moves from a queue in random order; refinement of every community from singletons; aggregation
 * by the refined partition, with the communities as the start of the next level; until nothing merges. Further passes
 * start from the result of the one before. At last every community is split into its connected components, which can
 * only raise modularity.
 *
 * Deviations: refinement joins the best well-connected sub-community instead of a random one with probability
 * ∝ exp(gain / θ) (θ → 0, as in GVE-Leiden), so no exponential decides anything. Doubles are used with + − × ÷ alone, in a
 * fixed order: the same seed gives the same result everywhere.
 *
 * @returns a community for each node, any numbers below `nodes`; every community is connected
 */
export function leiden(u: FollowGraph, options: LeidenOptions): Uint32Array {
  const { resolution } = options;
  const next = seededUint32(options.seed);
  const total = u.edges;
  const base: Level = {
    nodes: u.nodes,
    offsets: u.offsets,
    targets: u.targets,
    weights: null,
    degrees: Float64Array.from({ length: u.nodes }, (_, node) => u.offsets[node + 1] - u.offsets[node]),
  };
  const communityOf = options.start
    ? densely(options.start, u.nodes)
    : Uint32Array.from({ length: u.nodes }, (_, node) => node);
  if (total === 0) return communityOf.map((_, node) => node);

  const passesMax = options.passesMax ?? 10;
  const gainMin = options.gainMin ?? 0.0005;
  let quality = options.start
    ? partitionQuality(base, communityOf, resolution, total)
    : Number.NEGATIVE_INFINITY;
  for (let pass = 0; pass < passesMax; pass++) {
    const found = onePass(base, communityOf, resolution, total, next);
    const now = partitionQuality(base, found, resolution, total);
    if (now > quality) communityOf.set(found);
    if (now < quality + gainMin) break;
    quality = now;
  }
  splitComponents(base, communityOf);
  return communityOf;
}

/** Moves, refines and aggregates until nothing merges; returns communities of the level's nodes. */
function onePass(
  base: Level,
  start: Uint32Array,
  resolution: number,
  total: number,
  next: () => number,
): Uint32Array {
  let level = base;
  let communityOf: Uint32Array = start.slice();
  /** node of the base → node of the present level */
  let placeOf: Uint32Array | undefined;
  for (;;) {
    moveNodes(level, communityOf, resolution, total, next);
    const { refined, count } = refine(level, communityOf, resolution, total, next);
    if (count === level.nodes) break;
    const up = new Uint32Array(count);
    for (let node = 0; node < level.nodes; node++) up[refined[node]] = communityOf[node];
    level = aggregate(level, refined, count);
    if (placeOf) for (let node = 0; node < base.nodes; node++) placeOf[node] = refined[placeOf[node]];
    else placeOf = refined;
    communityOf = densely(up, count);
  }
  if (!placeOf) return communityOf;
  const flat = new Uint32Array(base.nodes);
  for (let node = 0; node < base.nodes; node++) flat[node] = communityOf[placeOf[node]];
  return flat;
}

/** Fast local moving: nodes whose surroundings changed wait in a queue; each goes where it gains most. */
function moveNodes(
  level: Level,
  communityOf: Uint32Array,
  resolution: number,
  total: number,
  next: () => number,
): void {
  const { nodes, offsets, targets, weights, degrees } = level;
  const size = new Uint32Array(nodes);
  const degreeOf = new Float64Array(nodes);
  for (let node = 0; node < nodes; node++) {
    size[communityOf[node]]++;
    degreeOf[communityOf[node]] += degrees[node];
  }
  const empty: number[] = [];
  for (let community = 0; community < nodes; community++) if (size[community] === 0) empty.push(community);
  const queue = shuffled(nodes, next);
  const waiting = new Uint8Array(nodes).fill(1);
  const linked = new Float64Array(nodes);
  const seen = new Uint32Array(nodes);
  const scale = resolution / total;
  let head = 0;
  let length = nodes;
  while (length > 0) {
    const node = queue[head];
    head = head + 1 === nodes ? 0 : head + 1;
    length--;
    waiting[node] = 0;
    const own = communityOf[node];
    const from = offsets[node];
    const to = offsets[node + 1];
    let seenCount = 0;
    for (let i = from; i < to; i++) {
      const community = communityOf[targets[i]];
      if (linked[community] === 0) seen[seenCount++] = community;
      linked[community] += weights === null ? 1 : weights[i];
    }
    const degree = degrees[node];
    degreeOf[own] -= degree;
    let best = own;
    let bestGain = linked[own] - scale * degree * degreeOf[own];
    for (let i = 0; i < seenCount; i++) {
      const community = seen[i];
      const gain = linked[community] - scale * degree * degreeOf[community];
      if (gain > bestGain) {
        bestGain = gain;
        best = community;
      }
    }
    for (let i = 0; i < seenCount; i++) linked[seen[i]] = 0;
    if (bestGain < 0 && size[own] > 1 && empty.length > 0) best = empty[empty.length - 1];
    degreeOf[best] += degree;
    if (best === own) continue;
    if (size[best] === 0) empty.pop();
    size[best]++;
    if (--size[own] === 0) empty.push(own);
    communityOf[node] = best;
    for (let i = from; i < to; i++) {
      const other = targets[i];
      if (waiting[other] === 1 || communityOf[other] === best) continue;
      waiting[other] = 1;
      let tail = head + length;
      if (tail >= nodes) tail -= nodes;
      queue[tail] = other;
      length++;
    }
  }
}

/**
 * Splits communities into sub-communities that are connected and well joined to the rest of their community: every
 * node that is still alone, and well joined itself, joins the well-joined sub-community of most gain, if any gains.
 */
function refine(
  level: Level,
  communityOf: Uint32Array,
  resolution: number,
  total: number,
  next: () => number,
): { refined: Uint32Array; count: number } {
  const { nodes, offsets, targets, weights, degrees } = level;
  const scale = resolution / total;
  const refined = new Uint32Array(nodes);
  const degreeOf = degrees.slice();
  const communityDegree = new Float64Array(nodes);
  /** weight between a sub-community and the rest of its community */
  const joined = new Float64Array(nodes);
  const alone = new Uint8Array(nodes).fill(1);
  for (let node = 0; node < nodes; node++) {
    refined[node] = node;
    communityDegree[communityOf[node]] += degrees[node];
    let sum = 0;
    for (let i = offsets[node]; i < offsets[node + 1]; i++) {
      if (communityOf[targets[i]] === communityOf[node]) sum += weights === null ? 1 : weights[i];
    }
    joined[node] = sum;
  }
  const linked = new Float64Array(nodes);
  const seen = new Uint32Array(nodes);
  for (const node of shuffled(nodes, next)) {
    if (alone[node] === 0) continue;
    const community = communityOf[node];
    const degree = degrees[node];
    const all = communityDegree[community];
    if (joined[node] < scale * degree * (all - degree)) continue;
    let seenCount = 0;
    for (let i = offsets[node]; i < offsets[node + 1]; i++) {
      if (communityOf[targets[i]] !== community) continue;
      const sub = refined[targets[i]];
      if (linked[sub] === 0) seen[seenCount++] = sub;
      linked[sub] += weights === null ? 1 : weights[i];
    }
    let best = node;
    let bestGain = 0;
    for (let i = 0; i < seenCount; i++) {
      const sub = seen[i];
      const gain = linked[sub] - scale * degree * degreeOf[sub];
      if (gain > bestGain && joined[sub] >= scale * degreeOf[sub] * (all - degreeOf[sub])) {
        bestGain = gain;
        best = sub;
      }
    }
    if (best !== node) {
      joined[best] += joined[node] - 2 * linked[best];
      degreeOf[best] += degree;
      refined[node] = best;
      alone[best] = 0;
    }
    for (let i = 0; i < seenCount; i++) linked[seen[i]] = 0;
  }
  let count = 0;
  const rank = new Int32Array(nodes).fill(-1);
  for (let node = 0; node < nodes; node++) {
    if (rank[refined[node]] < 0) rank[refined[node]] = count++;
    refined[node] = rank[refined[node]];
  }
  return { refined, count };
}

/** One node for each sub-community; edges between two of them are added up, edges inside count in degrees alone. */
function aggregate(level: Level, refined: Uint32Array, count: number): Level {
  const { nodes, offsets, targets, weights } = level;
  const starts = new Uint32Array(count + 1);
  const degrees = new Float64Array(count);
  let crossing = 0;
  for (let node = 0; node < nodes; node++) {
    starts[refined[node] + 1]++;
    degrees[refined[node]] += level.degrees[node];
    for (let i = offsets[node]; i < offsets[node + 1]; i++)
      if (refined[targets[i]] !== refined[node]) crossing++;
  }
  for (let sub = 0; sub < count; sub++) starts[sub + 1] += starts[sub];
  const ordered = new Uint32Array(nodes);
  const cursor = starts.slice();
  for (let node = 0; node < nodes; node++) ordered[cursor[refined[node]]++] = node;
  const upOffsets = new Uint32Array(count + 1);
  const upTargets = new Uint32Array(crossing);
  const upWeights = new Float64Array(crossing);
  const at = new Int32Array(count).fill(-1);
  let size = 0;
  for (let sub = 0; sub < count; sub++) {
    const rowStart = size;
    for (let position = starts[sub]; position < starts[sub + 1]; position++) {
      const node = ordered[position];
      for (let i = offsets[node]; i < offsets[node + 1]; i++) {
        const other = refined[targets[i]];
        if (other === sub) continue;
        if (at[other] < rowStart) {
          at[other] = size;
          upTargets[size] = other;
          upWeights[size++] = 0;
        }
        upWeights[at[other]] += weights === null ? 1 : weights[i];
      }
    }
    upOffsets[sub + 1] = size;
  }
  return {
    nodes: count,
    offsets: upOffsets,
    targets: upTargets.slice(0, size),
    weights: upWeights.slice(0, size),
    degrees,
  };
}

/** Modularity on the first level, up to rounding. */
function partitionQuality(base: Level, communityOf: Uint32Array, resolution: number, total: number): number {
  const degreeOf = new Float64Array(base.nodes);
  let inside = 0;
  for (let node = 0; node < base.nodes; node++) {
    const community = communityOf[node];
    degreeOf[community] += base.degrees[node];
    for (let i = base.offsets[node]; i < base.offsets[node + 1]; i++) {
      if (communityOf[base.targets[i]] === community) inside++;
    }
  }
  let expected = 0;
  for (let community = 0; community < base.nodes; community++) {
    expected += (degreeOf[community] / total) * (degreeOf[community] / total);
  }
  return inside / total - resolution * expected;
}

/** Gives each connected component of a community a number of its own (that of its first node). */
function splitComponents(base: Level, communityOf: Uint32Array): void {
  const component = new Int32Array(base.nodes).fill(-1);
  const stack = new Uint32Array(base.nodes);
  for (let first = 0; first < base.nodes; first++) {
    if (component[first] >= 0) continue;
    component[first] = first;
    let size = 0;
    stack[size++] = first;
    while (size > 0) {
      const node = stack[--size];
      for (let i = base.offsets[node]; i < base.offsets[node + 1]; i++) {
        const other = base.targets[i];
        if (component[other] >= 0 || communityOf[other] !== communityOf[node]) continue;
        component[other] = first;
        stack[size++] = other;
      }
    }
  }
  for (let node = 0; node < base.nodes; node++) communityOf[node] = component[node];
}

/** Renumbers to 0, 1, 2 … by first appearance; nodes past the end of `raw` are alone. */
function densely(raw: Uint32Array, nodes: number): Uint32Array {
  const numbers = new Map<number, number>();
  const dense = new Uint32Array(nodes);
  let count = 0;
  for (let node = 0; node < nodes; node++) {
    if (node >= raw.length) {
      dense[node] = count++;
      continue;
    }
    let number = numbers.get(raw[node]);
    if (number === undefined) {
      number = count++;
      numbers.set(raw[node], number);
    }
    dense[node] = number;
  }
  return dense;
}

/** 0 … nodes − 1 in random order (Fisher–Yates). */
function shuffled(nodes: number, next: () => number): Uint32Array {
  const order = new Uint32Array(nodes);
  for (let i = 0; i < nodes; i++) {
    const j = Math.floor((next() / 4294967296) * (i + 1));
    order[i] = order[j];
    order[j] = i;
  }
  return order;
}
