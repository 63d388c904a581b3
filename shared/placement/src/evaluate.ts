import { type FollowGraph, followerCounts, seededRng } from '@covey/graph';
import { relativeLoads } from './capacity.ts';
import { measureGreedy, type ReaderLoads } from './greedy-reader.ts';
import { measurePriced } from './priced-reader.ts';
import { noGroup, type Placement, type PlacementMember } from './problem.ts';

export interface EvaluateOptions {
  /** `greedy` is the definition; `priced` is the rule that clients of ours follow */
  reader?: 'greedy' | 'priced';
  /** for the sample of readers and the hash baseline; 1 by default */
  seed?: number;
  /** most readers (20,000 by default; 0 for all) */
  sample?: number;
  /** random placements behind the hash baseline; 5 by default, 0 leaves it out */
  hashSeeds?: number;
  /** accounts that read, instead of a sample */
  readers?: Uint32Array;
}

export interface Balances {
  fanout: number;
  connectionBalance: number;
  readBalance: number;
  fanoutPair: number;
}

/** The figures of a placement: see metrics.md, "Placement quality". All ratios are plain numbers. */
export interface Evaluation extends Balances {
  accounts: number;
  follows: number;
  members: number;
  reader: 'greedy' | 'priced';
  /** readers measured; accounts with at least five followees */
  readers: number;
  /** accounts without any member */
  unplaced: number;
  fanoutP95: number;
  fanoutMaster: number;
  sockets: number;
  copiesPerUser: number;
  copiesBalance: number;
  masterBalance: number;
  /** the least loaded member against the mean, for copies, connections and reads: the least of the three */
  leastLoaded: number;
  hubRelays: number;
  /** random copies on the same graph, members and readers */
  hash: Balances;
  /** fanout / hash.fanout */
  fanoutOfHash: number;
}

/** Accounts with fewer followees are not measured. */
const followeesMin = 5;
const hubCount = 1000;

/**
 * Measures a placement. Readers open relays greedily, or, with `priced`, by the reader's rule after prices have settled;
 * `fanoutMaster`, `fanoutPair` and `sockets` are always those of the greedy reader.
 */
export function evaluate(
  graph: FollowGraph,
  placement: Pick<Placement, 'groupOf' | 'groups'>,
  members: readonly PlacementMember[],
  options: EvaluateOptions = {},
): Evaluation {
  const reader = options.reader ?? 'greedy';
  const seed = options.seed ?? 1;
  const hashSeeds = options.hashSeeds ?? 5;
  const readers = options.readers ?? sampleReaders(graph, options.sample ?? 20000, seed);
  const { groupOf, groups } = placement;
  const rows = groups.map((group) => group.members);
  const greedy = (
    lists: readonly (readonly number[])[],
    need: number,
    own?: readonly (readonly number[])[],
  ) => measureGreedy(graph, readers, groupOf, lists, members.length, need, own);
  const all = measure(graph, readers, groupOf, rows, members, reader);
  const masters = rows.map((row) => row.slice(0, 1));
  const writes = groups.map((group) => group.members.slice(0, group.copies));
  const fanouts = Uint32Array.from(all.fanouts).sort();

  const copies = new Float64Array(members.length);
  const mastered = new Float64Array(members.length);
  let unplaced = 0;
  for (let account = 0; account < graph.nodes; account++) {
    if (groupOf[account] === noGroup || rows[groupOf[account]].length === 0) {
      unplaced++;
      continue;
    }
    const row = rows[groupOf[account]];
    for (let i = 0; i < row.length; i++) copies[row[i]]++;
    mastered[row[0]]++;
  }
  const copyLoads = relativeLoads(copies, members, 'copies');
  const connectionLoads = relativeLoads(all.connections, members, 'connections');
  const readLoads = relativeLoads(all.reads, members, 'reads');
  const copiesEach = Math.max(1, Math.round(meanCopies(groups)));
  const hash = hashBaseline(graph, readers, members, copiesEach, seed, hashSeeds, reader);
  return {
    accounts: graph.nodes,
    follows: graph.edges,
    members: members.length,
    reader,
    readers: readers.length,
    unplaced,
    fanout: all.fanout,
    fanoutP95:
      fanouts.length > 0 ? fanouts[Math.min(fanouts.length - 1, Math.ceil(fanouts.length * 0.95) - 1)] : 0,
    fanoutMaster: greedy(masters, 1).fanout,
    fanoutPair: greedy(rows, 2).fanout,
    sockets: greedy(rows, 1, writes).fanout,
    copiesPerUser: graph.nodes > 0 ? copies.reduce((sum, held) => sum + held, 0) / graph.nodes : 0,
    copiesBalance: balance(copyLoads),
    connectionBalance: balance(connectionLoads),
    readBalance: balance(readLoads),
    masterBalance: balance(relativeLoads(mastered, members, 'copies')),
    leastLoaded: Math.min(least(copyLoads), least(connectionLoads), least(readLoads)),
    hubRelays: coverHubs(graph, groupOf, rows, members.length),
    hash,
    fanoutOfHash: hash.fanout > 0 ? all.fanout / hash.fanout : 0,
  };
}

function measure(
  graph: FollowGraph,
  readers: Uint32Array,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  members: readonly PlacementMember[],
  rule: 'greedy' | 'priced',
): ReaderLoads {
  if (rule === 'priced') return measurePriced(graph, readers, groupOf, rows, members);
  return measureGreedy(graph, readers, groupOf, rows, members.length, 1);
}

function meanCopies(groups: Placement['groups']): number {
  let accounts = 0;
  let copies = 0;
  for (const group of groups) {
    accounts += group.accounts;
    copies += group.accounts * group.copies;
  }
  return accounts > 0 ? copies / accounts : 1;
}

/** All accounts with enough followees, or a seeded sample without replacement, ascending. */
export function sampleReaders(graph: FollowGraph, sample: number, seed: number): Uint32Array {
  const all: number[] = [];
  for (let node = 0; node < graph.nodes; node++) {
    if (graph.offsets[node + 1] - graph.offsets[node] >= followeesMin) all.push(node);
  }
  if (sample <= 0 || all.length <= sample) return Uint32Array.from(all);
  const rng = seededRng(seed);
  for (let i = 0; i < sample; i++) {
    const j = i + Math.floor(rng() * (all.length - i));
    [all[i], all[j]] = [all[j], all[i]];
  }
  return Uint32Array.from(all.slice(0, sample)).sort();
}

function balance(loads: Float64Array): number {
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  return mean > 0 ? loads.reduce((most, load) => Math.max(most, load), 0) / mean : 0;
}

function least(loads: Float64Array): number {
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  return mean > 0 ? loads.reduce((low, load) => Math.min(low, load), Number.POSITIVE_INFINITY) / mean : 0;
}

/** `copies` different random members for each account, the same readers and rule. */
function hashBaseline(
  graph: FollowGraph,
  readers: Uint32Array,
  members: readonly PlacementMember[],
  copies: number,
  seed: number,
  seeds: number,
  rule: 'greedy' | 'priced',
): Balances {
  const sum = { fanout: 0, connectionBalance: 0, readBalance: 0, fanoutPair: 0 };
  const k = members.length;
  const each = Math.min(copies, k);
  const groupOf = Uint32Array.from({ length: graph.nodes }, (_, account) => account);
  for (let run = 0; run < seeds; run++) {
    const rng = seededRng(`hash:${seed}:${run}`);
    const rows = Array.from({ length: graph.nodes }, () => {
      const row: number[] = [];
      while (row.length < each) {
        const member = Math.floor(rng() * k);
        if (!row.includes(member)) row.push(member);
      }
      return row;
    });
    const one = measure(graph, readers, groupOf, rows, members, rule);
    sum.fanout += one.fanout / seeds;
    sum.connectionBalance += balance(relativeLoads(one.connections, members, 'connections')) / seeds;
    sum.readBalance += balance(relativeLoads(one.reads, members, 'reads')) / seeds;
    sum.fanoutPair += measureGreedy(graph, readers, groupOf, rows, k, 2).fanout / seeds;
  }
  return sum;
}

/** Members that a greedy cover of the 1,000 most-followed accounts opens. */
function coverHubs(
  graph: FollowGraph,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  members: number,
): number {
  const popularity = followerCounts(graph);
  const order = Array.from(popularity.keys()).sort((a, b) => popularity[b] - popularity[a] || a - b);
  let pending = order
    .slice(0, hubCount)
    .filter((account) => groupOf[account] !== noGroup)
    .map((account) => rows[groupOf[account]])
    .filter((row) => row.length > 0);
  let opened = 0;
  while (pending.length > 0) {
    const gain = new Uint32Array(members);
    for (const row of pending) for (const member of row) gain[member]++;
    const best = gain.indexOf(Math.max(...gain));
    pending = pending.filter((row) => !row.includes(best));
    opened++;
  }
  return opened;
}
