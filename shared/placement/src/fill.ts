import type { FollowGraph } from '@covey/graph';
import { type CopyLists, noMember } from './copy-lists.ts';
import type { OpenSets } from './open-sets.ts';
import type { SearchLimits } from './search/state.ts';

/** Price of a member that is fuller than the mean by all of its room; one that is emptier gains as much. */
const fullnessPrice = 3;
/** A member's price is the share of readers that open it, times this power of its load over the mean … */
const loadPower = 2;
/** … at most this. */
const loadMost = 3;
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
}

/**
 * Places accounts where those who follow them, and they themselves as readers, are connected anyhow: each copy at the
 * member that most followers have open who are not served yet, less a price for members that many open, that carry more
 * than the mean, or that are fuller than others. When all are served, the next copy serves them a second time. So no
 * account needs a community: its followers know best. Caps and denials hold; accounts that no member has room for get
 * the least full.
 */
export function fillByFollowers(input: FillInput): void {
  const { accounts, followers, lists, open, held, limits, usable } = input;
  const words = open.open.length / Math.max(1, input.graph.nodes);
  const k = held.length;
  const { copies } = lists;
  const price = pricesOf(open, limits, usable, k);
  const missed = new Uint8Array(followersMax + 1);
  const asked = new Uint32Array(followersMax + 1);
  const gain = new Float64Array(k);
  const used = new Uint8Array(k);
  let total = 0;
  for (const member of usable) total += held[member];
  let capacity = 0;
  for (const member of usable) capacity += limits.caps[member];

  for (const account of accounts) {
    const count = ask(account, followers, asked);
    missed.fill(1, 0, count);
    let left = count;
    const denied = limits.denied.get(account);
    const start = account * copies;
    const mean = total / Math.max(1, capacity);
    for (let copy = 0; copy < copies; copy++) {
      if (left === 0) {
        missed.fill(1, 0, count);
        left = count;
      }
      gain.fill(0);
      for (let i = 0; i < count; i++) {
        if (missed[i] === 0) continue;
        for (let word = 0; word < words; word++) {
          let bits = open.open[asked[i] * words + word];
          while (bits !== 0) {
            const bit = 31 - Math.clz32(bits);
            bits &= ~(1 << bit);
            gain[(word << 5) + bit]++;
          }
        }
      }
      const best = bestMember(account, copy, gain, left, mean, denied);
      lists.writes[start + copy] = best < 0 ? noMember : best;
      if (best < 0) continue;
      used[best] = 1;
      held[best]++;
      total++;
      for (let i = 0; i < count; i++) {
        if (missed[i] === 1 && (open.open[asked[i] * words + (best >>> 5)] & (1 << (best & 31))) !== 0) {
          missed[i] = 0;
          left--;
        }
      }
    }
    for (let copy = 0; copy < copies; copy++) {
      if (lists.writes[start + copy] !== noMember) used[lists.writes[start + copy]] = 0;
    }
  }

  /** Room and domains are given up last, in that order; denials never. */
  function bestMember(
    account: number,
    copy: number,
    gain: Float64Array,
    left: number,
    mean: number,
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
        const fullness = held[member] / Math.max(1, limits.caps[member]);
        const over = (fullness - mean) * fullnessPrice;
        const score = strictness === 2 ? gain[member] - (left + 0.5) * (price[member] + over) : -fullness;
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

function pricesOf(open: OpenSets, limits: SearchLimits, usable: readonly number[], k: number): Float64Array {
  const price = new Float64Array(k);
  const byConnections = meanOver(usable, open.connections, limits.connectionCapacity);
  const byReads = meanOver(usable, open.reads, limits.readCapacity);
  for (const member of usable) {
    const connections = open.connections[member] / limits.connectionCapacity[member];
    const reads = open.reads[member] / limits.readCapacity[member];
    const load = Math.max(
      byConnections > 0 ? connections / byConnections : 0,
      byReads > 0 ? reads / byReads : 0,
    );
    let factor = 1;
    for (let i = 0; i < loadPower; i++) factor *= Math.min(loadMost, load);
    price[member] = (open.connections[member] / Math.max(1, open.readers)) * factor;
  }
  return price;
}

function meanOver(usable: readonly number[], loads: Float64Array, capacity: Float64Array): number {
  let sum = 0;
  for (const member of usable) sum += loads[member] / capacity[member];
  return usable.length > 0 ? sum / usable.length : 0;
}
