import type { FollowGraph } from '@covey/graph';
import { type CopyLists, noMember } from './copy-lists.ts';
import type { OpenSets } from './open-sets.ts';
import type { SearchLimits } from './search/state.ts';

/** Price of a member that is fuller than the mean by all of its room; one that is emptier gains as much. */
const fullnessPrice = 3;
/** A member's price is the share of readers that open it, times the square of its load over the mean, which counts up to this. */
const loadMost = 3;
/** What serving is worth at a member falls by this for each mean by which reads pass `readsGoal` of their limit, to the least. */
const servedStep = 0.8;
const servedLeast = 0.1;
const readsGoal = 0.87;
/** Followers of one account that are asked; of more, evenly through them. */
const followersMax = 512;

export interface FillInput {
  graph: FollowGraph;
  /** accounts to place, those with most followers first */
  accounts: Uint32Array;
  /** who follows each of them: rows by account of the graph, empty for the others */
  followers: FollowGraph;
  /** rows of `accounts` are overwritten */
  lists: CopyLists;
  open: OpenSets;
  /** copies that members hold of other accounts; raised */
  held: Float64Array;
  limits: SearchLimits;
  usable: readonly number[];
  prices: FillPrices;
}

/**
 * Places accounts where those who follow them, and they themselves as readers, are connected anyhow: each copy at the
 * member that most followers have open who are not served yet, less a price for members that many open, that carry more
 * than the mean, or that are fuller than others. When all are served, the next copy serves them a second time. So no
 * account needs a community: its followers know best. Caps and denials hold; accounts that no member has room for get
 * the least full.
 */
export function fillByFollowers(input: FillInput): void {
  const { accounts, followers, lists, open, held, limits, usable, prices } = input;
  const words = open.open.length / Math.max(1, input.graph.nodes);
  const k = held.length;
  const { copies } = lists;
  const missed = new Uint8Array(followersMax + 1);
  const asked = new Uint32Array(followersMax + 1);
  const gain = new Float64Array(k);
  const all = new Float64Array(k);
  const used = new Uint8Array(k);
  /** what a copy costs, per follower that it is for: the member's price, and how full it is */
  const cost = new Float64Array(k);
  const costOf = (member: number): number =>
    prices.open[member] + (held[member] / Math.max(1, limits.caps[member])) * fullnessPrice;
  for (const member of usable) cost[member] = costOf(member);

  for (const account of accounts) {
    const count = ask(account, followers, asked);
    missed.fill(1, 0, count);
    let left = count;
    const denied = limits.denied.get(account);
    const start = account * copies;
    all.fill(0);
    for (let i = 0; i < count; i++) addOpen(all, asked[i], 1);
    gain.set(all);
    for (let copy = 0; copy < copies; copy++) {
      if (left === 0) {
        missed.fill(1, 0, count);
        left = count;
        gain.set(all);
      }
      const best = bestMember(account, copy, left, denied);
      lists.writes[start + copy] = best < 0 ? noMember : best;
      if (best < 0) continue;
      used[best] = 1;
      held[best]++;
      cost[best] = costOf(best);
      if (copy + 1 === copies) break;
      const word = best >>> 5;
      const bit = 1 << (best & 31);
      for (let i = 0; i < count; i++) {
        if (missed[i] === 0 || (open.open[asked[i] * words + word] & bit) === 0) continue;
        missed[i] = 0;
        left--;
        addOpen(gain, asked[i], -1);
      }
    }
    for (let copy = 0; copy < copies; copy++) {
      if (lists.writes[start + copy] !== noMember) used[lists.writes[start + copy]] = 0;
    }
  }

  function addOpen(sums: Float64Array, reader: number, one: number): void {
    for (let word = 0; word < words; word++) {
      let bits = open.open[reader * words + word];
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        sums[(word << 5) + bit] += one;
      }
    }
  }

  /** Room and domains are given up last, in that order; denials never. */
  function bestMember(
    account: number,
    copy: number,
    left: number,
    denied: ReadonlySet<number> | undefined,
  ): number {
    const turn = account % usable.length;
    for (const strictness of [2, 1, 0]) {
      let best = -1;
      let bestScore = Number.NEGATIVE_INFINITY;
      for (let step = 0; step < usable.length; step++) {
        const member = usable[step + turn < usable.length ? step + turn : step + turn - usable.length];
        if (used[member] === 1 || denied?.has(member)) continue;
        if (strictness === 2 && held[member] >= limits.caps[member]) continue;
        if (strictness >= 1 && limits.strictDomains && sharesDomain(account, copy, member)) continue;
        const score =
          strictness === 2
            ? gain[member] * prices.served[member] - (left + 0.5) * cost[member]
            : -held[member] / Math.max(1, limits.caps[member]);
        if (score > bestScore) {
          bestScore = score;
          best = member;
        }
      }
      if (best >= 0) return best;
    }
    return -1;
  }

  function sharesDomain(account: number, copy: number, member: number): boolean {
    for (let i = account * copies; i < account * copies + copy; i++) {
      if (lists.writes[i] !== noMember && limits.domainOf[lists.writes[i]] === limits.domainOf[member])
        return true;
    }
    return false;
  }
}

/** The account itself and its followers, evenly through them when there are many; returns how many. */
function ask(account: number, followers: FollowGraph, asked: Uint32Array): number {
  const from = followers.offsets[account];
  const size = followers.offsets[account + 1] - from;
  const count = Math.min(size, followersMax);
  for (let i = 0; i < count; i++) {
    asked[i] = followers.targets[from + (size === count ? i : Math.floor((i * size) / count))];
  }
  asked[count] = account;
  return count + 1;
}

/** What a copy costs at each member; kept from round to round. */
export class FillPrices {
  /** per follower that a copy is for */
  readonly open: Float64Array;
  /** what serving a follower who has the member open is worth: less than 1 where reads are above their limit */
  readonly served: Float64Array;

  constructor(k: number) {
    this.open = new Float64Array(k);
    this.served = new Float64Array(k).fill(1);
  }

  /** Takes up the loads of the covers that the next round places by. */
  update(open: OpenSets, limits: SearchLimits, usable: readonly number[]): void {
    const byConnections = meanOver(usable, open.connections, limits.connectionCapacity);
    const byReads = meanOver(usable, open.reads, limits.readCapacity);
    for (const member of usable) {
      const connections = loadOf(open.connections[member] / limits.connectionCapacity[member], byConnections);
      const reads = loadOf(open.reads[member] / limits.readCapacity[member], byReads);
      const load = Math.min(loadMost, Math.max(connections, reads));
      this.open[member] = (open.connections[member] / Math.max(1, open.readers)) * load * load;
      const worth = this.served[member] * (1 - servedStep * (reads - limits.loadLimit * readsGoal));
      this.served[member] = Math.max(servedLeast, Math.min(1, worth));
    }
  }
}

function loadOf(load: number, mean: number): number {
  return mean > 0 ? load / mean : 0;
}

function meanOver(usable: readonly number[], loads: Float64Array, capacity: Float64Array): number {
  let sum = 0;
  for (const member of usable) sum += loads[member] / capacity[member];
  return usable.length > 0 ? sum / usable.length : 0;
}
