import { release } from '../csr.ts';
import { seededUint32 } from '../rng.ts';
import type { SymmetricGraph } from '../symmetric.ts';
import { coreOf } from './core.ts';
import { allocator, type Level, slots, type Workspace } from './level.ts';
import { type MoveMemory, moveNodes } from './move-nodes.ts';
import { soloTeam, type Team } from './team.ts';
import { shardsWanted, WorkspacePool } from './workspace.ts';

export interface LeidenOptions {
  seed: number;
  /** γ; 1 is modularity as Newman and Girvan have it */
  resolution: number;
  /** start from these communities (dense or not, one a node) instead of from singletons */
  start?: Uint32Array;
  /** passes over the whole graph at most; stops earlier when one gains less than `gainMin` modularity */
  passesMax?: number;
  gainMin?: number;
  /** graphs with at least so many row entries start from the communities of their core (`core.ts`) */
  coreFrom?: number;
  /** the caller alone by default; the result is the same for every team */
  team?: Team;
}

/** Gains closer than this part of the mean weight of a link are equal. */
const tieShare = 0.01;
/** Steps on levels with fewer row entries are not worth waking threads for. */
const entriesForThreads = 100_000;
/** Graphs with more row entries start from the communities of their core, found in one pass. */
const entriesForCore = 20_000_000;
/** A pass ends where it begins when fewer than one node in so many moves: its gain would be below `gainMin` by far. */
const movedAgainShare = 10_000;

/**
 * Leiden (Traag, Waltman and van Eck 2019, "From Louvain to Leiden") for modularity with resolution γ.
 *
 * Each pass: local moves; refinement of every community from singletons; aggregation by the refined partition, with the
 * communities as the start of the next level; until nothing merges. Further passes start from the result of the one
 * before. At last every community is split into its connected components, which can only raise modularity.
 *
 * Large graphs start from the communities of their core instead of from singletons, which takes a third of the sweeps.
 *
 * Deviations: nodes move in sweeps of batches instead of from one queue (`move-nodes.ts`); refinement joins the best
 * sub-community, or a random one of those that gain as much up to a hundredth of a link, instead of one drawn with
 * probability ∝ exp(gain / θ): so no exponential decides anything. Doubles are used with + − × ÷ alone, in an order
 * that does not depend on threads: the same seed gives the same result everywhere.
 *
 * Directions of follows enter through the weights of `u` alone (`symmetric.ts`).
 *
 * @returns a community for each node, numbers below `nodes`, every community connected; and their modularity
 */
export function leiden(
  u: SymmetricGraph,
  options: LeidenOptions,
): { communityOf: Uint32Array; quality: number } {
  const team = options.team ?? soloTeam();
  const base = baseLevel(u, team.threads > 1);
  let total = 0;
  for (let node = 0; node < u.nodes; node++) total += base.degrees[node];
  const singletons = Uint32Array.from({ length: u.nodes }, (_, node) => node);
  if (total === 0) return { communityOf: singletons, quality: 0 };
  let best: Uint32Array = singletons;
  if (options.start) best = densely(options.start, u.nodes);
  else if (u.edges >= (options.coreFrom ?? entriesForCore))
    best = startFromCore(u, options, team.threads > 1);
  const search = new Search(base, total, options, team);
  let quality = Number.NEGATIVE_INFINITY;
  const passesMax = options.passesMax ?? 10;
  const gainMin = options.gainMin ?? 0.0005;
  for (let pass = 0; pass < passesMax; pass++) {
    const found = search.pass(best, pass > 0);
    if (!found) break;
    const gain = found.quality - quality;
    if (gain > 0) {
      best = found.communityOf;
      quality = found.quality;
    }
    if (gain < gainMin) break;
  }
  search.release();
  return { communityOf: best, quality };
}

/** Communities of the core, found in one pass, and each other node alone. */
function startFromCore(u: SymmetricGraph, options: LeidenOptions, shared: boolean): Uint32Array {
  const { graph, nodeOf } = coreOf(u, shared);
  const found = leiden(graph, { ...options, passesMax: 1, coreFrom: Number.POSITIVE_INFINITY });
  const start = Uint32Array.from({ length: u.nodes }, (_, node) => node);
  /** by community: its first node, whose number is the community's */
  const first = new Map<number, number>();
  nodeOf.forEach((node, at) => {
    const community = found.communityOf[at];
    if (!first.has(community)) first.set(community, node);
    start[node] = first.get(community)!;
  });
  release(graph.offsets, graph.targets, ...(graph.weights ? [graph.weights] : []));
  return start;
}

function baseLevel(u: SymmetricGraph, shared: boolean): Level {
  const { nodes, offsets, targets } = u;
  const weights = u.weights ?? null;
  const degrees = allocator(shared).float64(nodes);
  for (let node = 0; node < nodes; node++) {
    if (weights === null) degrees[node] = offsets[node + 1] - offsets[node];
    else for (let i = offsets[node]; i < offsets[node + 1]; i++) degrees[node] += weights[i];
  }
  const starts = offsets.subarray(0, nodes);
  return { nodes, entries: u.edges, starts, ends: offsets.subarray(1), targets, weights, degrees };
}

class Search {
  readonly #base: Level;
  readonly #total: number;
  readonly #resolution: number;
  readonly #team: Team;
  readonly #solo = soloTeam();
  readonly #pool: WorkspacePool;
  readonly #next: () => number;
  readonly #memory: MoveMemory;
  /** of the next step */
  #shards = 0;

  constructor(base: Level, total: number, options: LeidenOptions, team: Team) {
    this.#base = base;
    this.#total = total;
    this.#resolution = options.resolution;
    this.#team = team;
    this.#pool = new WorkspacePool(base, allocator(team.threads > 1), total >= 4294967296);
    this.#next = seededUint32(options.seed);
    this.#memory = { sizes: new Uint32Array(base.nodes), empty: new Uint32Array(base.nodes) };
  }

  /**
   * One pass from the communities given; they may have any numbers below the number of nodes.
   * @param again whether they come from a pass before; undefined when next to nothing moves then
   */
  pass(start: Uint32Array, again: boolean): { communityOf: Uint32Array; quality: number } | undefined {
    const base = this.#base;
    /** node of the base → node of the present level */
    let placeOf: Uint32Array | undefined;
    let depth = 0;
    let w = this.#pool.at(0, base);
    w.communityOf.set(start);
    for (;;) {
      const team = this.#teamFor(w);
      const moved = moveNodes(w, team, this.#next, this.#memory);
      if (depth === 0 && again && moved * movedAgainShare < base.nodes) return undefined;
      const communities = this.#group(w, w.communityOf);
      this.#shardCommunities(w, communities);
      w.numbers[slots.seed] = this.#next() | 0;
      team.run('refine', this.#shards);
      const subs = this.#group(w, w.refined);
      if (subs === w.level.nodes) break;
      const up = this.#pool.above(depth, w.level, subs);
      w.up = up;
      this.#shardSubs(w, up, subs);
      team.attach(w);
      team.run('aggregate', this.#shards);
      const above = this.#pool.at(depth + 1, up);
      // Sub-communities are numbered community by community: communities become dense and neighbours lie together.
      for (let node = 0; node < w.level.nodes; node++)
        above.communityOf[w.refined[node]] = w.communityOf[node];
      if (placeOf) for (let node = 0; node < base.nodes; node++) placeOf[node] = w.refined[placeOf[node]];
      else placeOf = w.refined.slice();
      depth++;
      w = above;
    }
    splitComponents(w);
    const quality = this.#quality(w);
    const communityOf = new Uint32Array(base.nodes);
    for (let node = 0; node < base.nodes; node++) {
      communityOf[node] = w.communityOf[placeOf ? placeOf[node] : node];
    }
    return { communityOf, quality };
  }

  release(): void {
    this.#pool.release();
    release(this.#memory.sizes, this.#memory.empty);
  }

  #teamFor(w: Workspace): Team {
    const team = w.level.entries < entriesForThreads && this.#team.threads > 1 ? this.#solo : this.#team;
    w.numbers[slots.scale] = this.#resolution / this.#total;
    w.numbers[slots.tie] = (tieShare * this.#total) / this.#base.entries;
    team.attach(w);
    return team;
  }

  /**
   * Makes the numbers in `of` dense, by first appearance (sub-communities community by community), and puts the nodes with
   * the same number together, each group in random order.
   */
  #group(w: Workspace, of: Uint32Array): number {
    const { order, grouped, groupStarts } = w;
    const { nodes } = w.level;
    const numbers = this.#memory.empty;
    const counts = this.#memory.sizes;
    numbers.fill(0, 0, nodes);
    let count = 0;
    const visit = of === w.refined ? grouped : order;
    for (let i = 0; i < nodes; i++) {
      const old = of[visit[i]];
      if (numbers[old] === 0) {
        counts[count++] = 0;
        numbers[old] = count;
      }
      counts[numbers[old] - 1]++;
    }
    for (let node = 0; node < nodes; node++) of[node] = numbers[of[node]] - 1;
    let sum = 0;
    for (let group = 0; group < count; group++) {
      groupStarts[group] = sum;
      sum += counts[group];
      counts[group] = groupStarts[group];
    }
    groupStarts[count] = sum;
    for (let i = 0; i < nodes; i++) grouped[counts[of[order[i]]]++] = order[i];
    return count;
  }

  /** Cuts communities into shards of about equal degrees, and sums up the degrees by their new numbers. */
  #shardCommunities(w: Workspace, count: number): void {
    const { communityDegree, grouped, groupStarts, shardStarts, level } = w;
    const most = this.#total / shardsWanted;
    let shard = 0;
    let sum = 0;
    shardStarts[0] = 0;
    for (let community = 0; community < count; community++) {
      let degree = 0;
      for (let i = groupStarts[community]; i < groupStarts[community + 1]; i++)
        degree += level.degrees[grouped[i]];
      communityDegree[community] = degree;
      sum += degree;
      if (sum < most) continue;
      shardStarts[++shard] = community + 1;
      sum = 0;
    }
    if (shardStarts[shard] < count) shardStarts[++shard] = count;
    this.#shards = shard;
  }

  /** Cuts sub-communities into shards of about equal row entries, and says where in `up` each shard writes. */
  #shardSubs(w: Workspace, up: Level, count: number): void {
    const { grouped, groupStarts, shardStarts, level } = w;
    const most = level.entries / shardsWanted;
    let shard = 0;
    let shardAt = 0;
    let sum = 0;
    shardStarts[0] = 0;
    up.starts[0] = 0;
    for (let sub = 0; sub < count; sub++) {
      for (let i = groupStarts[sub]; i < groupStarts[sub + 1]; i++) {
        sum += level.ends[grouped[i]] - level.starts[grouped[i]];
      }
      if (sum - shardAt < most || sub + 1 === count) continue;
      shardStarts[++shard] = sub + 1;
      up.starts[sub + 1] = sum;
      shardAt = sum;
    }
    shardStarts[++shard] = count;
    up.entries = sum;
    this.#shards = shard;
  }

  /** Modularity of the communities of a level, which is that of the base's nodes in them. */
  #quality(w: Workspace): number {
    const { communityOf, communityDegree, level } = w;
    communityDegree.fill(0);
    let crossing = 0;
    for (let node = 0; node < level.nodes; node++) {
      const community = communityOf[node];
      communityDegree[community] += level.degrees[node];
      for (let i = level.starts[node]; i < level.ends[node]; i++) {
        if (communityOf[level.targets[i]] !== community)
          crossing += level.weights === null ? 1 : level.weights[i];
      }
    }
    let expected = 0;
    for (let community = 0; community < level.nodes; community++) {
      const share = communityDegree[community] / this.#total;
      expected += share * share;
    }
    return 1 - crossing / this.#total - this.#resolution * expected;
  }
}

/** Gives each connected component of a community a number of its own (that of its first node). */
function splitComponents({ level, communityOf }: Workspace): void {
  const { nodes, starts, ends, targets } = level;
  const component = new Int32Array(nodes).fill(-1);
  const stack = new Uint32Array(nodes);
  for (let first = 0; first < nodes; first++) {
    if (component[first] >= 0) continue;
    component[first] = first;
    let size = 0;
    stack[size++] = first;
    while (size > 0) {
      const node = stack[--size];
      for (let i = starts[node]; i < ends[node]; i++) {
        const other = targets[i];
        if (component[other] >= 0 || communityOf[other] !== communityOf[node]) continue;
        component[other] = first;
        stack[size++] = other;
      }
    }
  }
  for (let node = 0; node < nodes; node++) communityOf[node] = component[node];
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
