import { type FollowGraph, followerCounts, seededRng } from '@covey/graph';
import { declared } from './capacity.ts';
import { negLn } from './fixed-log.ts';
import { mix32 } from './mix.ts';
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
 * Measures a placement. Readers open relays greedily (metrics.md); with `priced`, ties go by price × −ln hash, relays
 * made redundant are closed, each followee is read from an open holder chosen by price, and prices settle over rounds.
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
  const readers = sampleReaders(graph, options.sample ?? 20000, seed);
  const { groupOf, groups } = placement;
  const rows = groups.map((group) => group.members);
  const all = measureReaders(graph, readers, groupOf, rows, members, reader, 1);
  const pair = measureReaders(graph, readers, groupOf, rows, members, 'greedy', 2);
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
  const copyLoads = relative(copies, members, 'copies');
  const connectionLoads = relative(all.connections, members, 'connections');
  const readLoads = relative(all.reads, members, 'reads');
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
    fanoutMaster: measureReaders(graph, readers, groupOf, masters, members, 'greedy', 1).fanout,
    fanoutPair: pair.fanout,
    sockets: measureReaders(graph, readers, groupOf, rows, members, 'greedy', 1, writes).fanout,
    copiesPerUser: graph.nodes > 0 ? copies.reduce((sum, held) => sum + held, 0) / graph.nodes : 0,
    copiesBalance: balance(copyLoads),
    connectionBalance: balance(connectionLoads),
    readBalance: balance(readLoads),
    masterBalance: balance(relative(mastered, members, 'copies')),
    leastLoaded: Math.min(least(copyLoads), least(connectionLoads), least(readLoads)),
    hubRelays: coverHubs(graph, groupOf, rows, members.length),
    hash,
    fanoutOfHash: hash.fanout > 0 ? all.fanout / hash.fanout : 0,
  };
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

interface ReaderLoads {
  /** mean relays opened */
  fanout: number;
  fanouts: Uint32Array;
  /** readers that open each member */
  connections: Float64Array;
  /** (reader, followee) pairs read from each member */
  reads: Float64Array;
}

/**
 * Lets every reader open relays until each followee is read from `need` of its copies (or all it has).
 * @param own with it, the reader's own members by group are open at the start and count
 */
function measureReaders(
  graph: FollowGraph,
  readers: Uint32Array,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  members: readonly PlacementMember[],
  rule: 'greedy' | 'priced',
  need: number,
  own?: readonly (readonly number[])[],
): ReaderLoads {
  const k = members.length;
  if (rule === 'priced') return measurePriced(graph, readers, groupOf, rows, members);
  const fanouts = new Uint32Array(readers.length);
  const connections = new Float64Array(k);
  const reads = new Float64Array(k);
  const gain = new Int32Array(k);
  const isOpen = new Uint8Array(k);
  let pending: (readonly number[])[] = [];
  let needs: number[] = [];
  let total = 0;
  for (let r = 0; r < readers.length; r++) {
    const reader = readers[r];
    gain.fill(0);
    isOpen.fill(0);
    pending = [];
    needs = [];
    let opened = 0;
    if (own && groupOf[reader] !== noGroup) {
      for (const member of own[groupOf[reader]]) {
        isOpen[member] = 1;
        opened++;
      }
    }
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) {
      const group = groupOf[graph.targets[i]];
      if (group === noGroup) continue;
      const row = rows[group];
      let needed = Math.min(need, row.length);
      if (opened > 0) {
        for (let j = 0; j < row.length && needed > 0; j++) {
          if (isOpen[row[j]]) needed--;
        }
      }
      if (needed === 0) continue;
      pending.push(row);
      needs.push(needed);
      for (let j = 0; j < row.length; j++) if (!isOpen[row[j]]) gain[row[j]]++;
    }
    const start = (Math.imul(reader, 2654435761 | 0) >>> 0) % k;
    while (pending.length > 0) {
      let best = start;
      for (let step = 1; step < k; step++) {
        const member = start + step < k ? start + step : start + step - k;
        if (gain[member] > gain[best]) best = member;
      }
      isOpen[best] = 1;
      opened++;
      connections[best]++;
      reads[best] += gain[best];
      gain[best] = 0;
      let write = 0;
      for (let i = 0; i < pending.length; i++) {
        const row = pending[i];
        if (row.includes(best) && --needs[i] === 0) {
          for (let j = 0; j < row.length; j++) if (!isOpen[row[j]]) gain[row[j]]--;
        } else {
          pending[write] = row;
          needs[write++] = needs[i];
        }
      }
      pending.length = write;
    }
    fanouts[r] = opened;
    total += opened;
  }
  return { fanout: readers.length > 0 ? total / readers.length : 0, fanouts, connections, reads };
}

/** Rounds in which members publish prices and readers answer. */
const priceRounds = 12;
/** Prices are integers in units of 2⁻¹². */
const priceUnit = 4096;

/** The priced rule (metrics.md, "The reader's rule"), after prices have settled. */
function measurePriced(
  graph: FollowGraph,
  readers: Uint32Array,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  members: readonly PlacementMember[],
): ReaderLoads {
  const k = members.length;
  const openPrices = new Float64Array(k).fill(priceUnit);
  const readPrices = new Float64Array(k).fill(priceUnit);
  const scores = readerScores(readers, k);
  let loads!: ReaderLoads;
  for (let round = 0; round < priceRounds; round++) {
    loads = pricedRound(graph, readers, groupOf, rows, scores, openPrices, readPrices);
    if (round === priceRounds - 1) break;
    movePrices(openPrices, relative(loads.connections, members, 'connections'));
    movePrices(readPrices, relative(loads.reads, members, 'reads'));
  }
  return loads;
}

/** −ln hash(reader, member), readers × members: for opening, and another for reading. */
function readerScores(readers: Uint32Array, k: number): { open: Uint32Array; read: Uint32Array } {
  const open = new Uint32Array(readers.length * k);
  const read = new Uint32Array(readers.length * k);
  for (let r = 0; r < readers.length; r++) {
    for (let member = 0; member < k; member++) {
      open[r * k + member] = negLn(mix32(readers[r], member));
      read[r * k + member] = negLn(mix32(readers[r], member + 65536));
    }
  }
  return { open, read };
}

function pricedRound(
  graph: FollowGraph,
  readers: Uint32Array,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  scores: { open: Uint32Array; read: Uint32Array },
  openPrices: Float64Array,
  readPrices: Float64Array,
): ReaderLoads {
  const k = openPrices.length;
  const fanouts = new Uint32Array(readers.length);
  const connections = new Float64Array(k);
  const reads = new Float64Array(k);
  const gain = new Int32Array(k);
  const isOpen = new Uint8Array(k);
  let total = 0;
  for (let r = 0; r < readers.length; r++) {
    const reader = readers[r];
    gain.fill(0);
    isOpen.fill(0);
    const followed: (readonly number[])[] = [];
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) {
      const group = groupOf[graph.targets[i]];
      if (group === noGroup || rows[group].length === 0) continue;
      followed.push(rows[group]);
      for (const member of rows[group]) gain[member]++;
    }
    const opened: number[] = [];
    const pending = followed.slice();
    while (pending.length > 0) {
      let best = -1;
      let bestScore = 0;
      for (let member = 0; member < k; member++) {
        if (gain[member] === 0 || (best >= 0 && gain[member] < gain[best])) continue;
        const score = openPrices[member] * scores.open[r * k + member];
        if (best < 0 || gain[member] > gain[best] || score < bestScore) {
          best = member;
          bestScore = score;
        }
      }
      isOpen[best] = 1;
      opened.push(best);
      let write = 0;
      for (const row of pending) {
        if (row.includes(best)) for (const member of row) gain[member]--;
        else pending[write++] = row;
      }
      pending.length = write;
    }
    closeRedundant(opened, isOpen, followed);
    for (const member of opened) connections[member]++;
    for (const row of followed) {
      let from = -1;
      let fromScore = 0;
      for (const member of row) {
        if (!isOpen[member]) continue;
        const score = readPrices[member] * scores.read[r * k + member];
        if (from < 0 || score < fromScore) {
          from = member;
          fromScore = score;
        }
      }
      reads[from]++;
    }
    fanouts[r] = opened.length;
    total += opened.length;
  }
  return { fanout: readers.length > 0 ? total / readers.length : 0, fanouts, connections, reads };
}

function closeRedundant(
  opened: number[],
  isOpen: Uint8Array,
  followed: readonly (readonly number[])[],
): void {
  for (let at = opened.length - 2; at >= 0; at--) {
    const member = opened[at];
    isOpen[member] = 0;
    if (followed.every((row) => row.some((other) => isOpen[other] === 1))) opened.splice(at, 1);
    else isOpen[member] = 1;
  }
}

/** Each price moves by (load / mean)^(5/16): square roots are exact everywhere, other powers are not. */
function movePrices(prices: Float64Array, loads: Float64Array): void {
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  if (mean === 0) return;
  for (let member = 0; member < prices.length; member++) {
    const quarter = Math.sqrt(Math.sqrt(Math.max(loads[member] / mean, 1 / 16)));
    const price = prices[member] * quarter * Math.sqrt(Math.sqrt(quarter));
    prices[member] = Math.min(1 << 22, Math.max(1, Math.round(price)));
  }
}

function relative(
  loads: Float64Array,
  members: readonly PlacementMember[],
  what: 'copies' | 'connections' | 'reads',
): Float64Array {
  return loads.map((load, index) => {
    const capacity = declared(members[index], what);
    return capacity > 0 ? load / capacity : 0;
  });
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
    const one = measureReaders(graph, readers, groupOf, rows, members, rule, 1);
    sum.fanout += one.fanout / seeds;
    sum.connectionBalance += balance(relative(one.connections, members, 'connections')) / seeds;
    sum.readBalance += balance(relative(one.reads, members, 'reads')) / seeds;
    sum.fanoutPair += measureReaders(graph, readers, groupOf, rows, members, 'greedy', 2).fanout / seeds;
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
