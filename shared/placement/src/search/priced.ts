import { seededUint32 } from '@covey/graph';
import { byPopularity } from './by-popularity.ts';
import { closingChances, LoadPrices, type Prices } from './load-prices.ts';
import { SharePrices } from './share-prices.ts';
import type { SearchState } from './state.ts';

/** Multipliers of the limits, with q falling to 0; or shares of readers, with q as it is. */
export type PriceKind = 'multipliers' | 'shares';

export interface PricedOptions {
  rounds: number;
  seed: number;
  prices: PriceKind;
  /** how rounds are compared, see {@link penalised} */
  overloadCost: number;
  /** fill only these rows, which are short, and take nothing away: for accounts that are new or lost a member */
  fillOnly?: Uint32Array;
  /** place these accounts anew, a share of them in every round, and no others; and only for a better score than before */
  only?: Uint32Array;
  onRound?: (round: number) => void;
}

/** Fixed-point one of weights that others use. */
const one = 4096;
/** Chance that a member is closed to a reader of n followees there is q^n; q falls from this to 0. */
const qFirst = 0.7;
/** Limits begin at this multiple, and fall to 1 over this share of the rounds. */
const relaxedFirst = 3;
const relaxedRounds = 0.35;
/** Share of accounts placed anew in the first and the last round, of 2³². */
const shareFirst = 0.5 * 4294967296;
const shareLast = 0.1 * 4294967296;
/** Of accounts with so few followers this share is placed anew in every round: they cost little and make room. */
const cheapFollowers = 2;
const shareCheap = 0.4 * 4294967296;
/** Of the accounts that are searched alone. */
const shareOnly = 0.3 * 4294967296;
/** Readers whose part is served but for this are served. */
const missedMin = 1e-3;
/** How much of the bonus of a member that lacks readers goes to those who would open it anew. */
const newcomerBonus = 0.3;
/** A read copy has to gain at first this much of a reader's weight; the threshold then steers to the budget. */
const thresholdFirst = 0.3;

/**
 * The priced search: in each round a falling share of the accounts is taken away, most-followed first, and placed again
 * copy by copy. A copy goes to the member of the greatest gain: over the account's readers, what is still missed times
 * the chance 1 − q^(followees that the reader reads there) that the member is open anyhow, less the price of opening
 * it times what is still missed; then what is missed is multiplied by q^…. As q falls to 0 this becomes the exact count
 * of relays opened. Read copies are added while they gain more than a threshold that steers their number to the budget.
 *
 * Prices are the multipliers of the limits ({@link LoadPrices}), or shares of readers ({@link SharePrices}), for which q
 * stays. A member below the floor counts more for readers who
 * have it open already, so that it keeps them, and a little for those who would open it for the last write copy: as a
 * bonus for everybody it would draw the first copy of every hub. Limits begin relaxed, so that the placement
 * condenses before it is balanced. Sums and products of doubles in a fixed order: IEEE 754 makes them the same everywhere.
 *
 * Leaves the state at the best round by {@link penalised}, covers recomputed; returns that score.
 */
export function pricedSearch(state: SearchState, options: PricedOptions): number {
  const { k, accounts, copies, width, lists, sizes, fixed, followerStarts, held, limits } = state;
  const { followerReaders, counts, open, words, reads, connections, weights } = state;
  const { rounds } = options;
  const byShare = options.prices === 'shares';
  const next = seededUint32(options.seed);
  const order = options.only ?? byPopularity(state);
  const mostFollowed = order.reduce((most, account) => Math.max(most, state.popularity(account)), 0);
  const prices: Prices = byShare ? new SharePrices(state) : multipliersOf(state);
  const chance = new Float64Array(65536);
  const overload = new Float64Array(k);
  const gain = new Float64Array(k);
  const missed = new Float64Array(mostFollowed);
  const used = new Uint8Array(k);
  const taken = new Uint32Array(accounts);
  const meanWeight = state.readers.length > 0 ? state.totalWeight / state.readers.length : 1;
  let threshold = thresholdFirst * meanWeight;
  let extra = state.extraCopies();

  /** The open copy of an account where a reader reads most: there it reads this account too. */
  const readAt = (row: number, start: number, end: number): number => {
    let best = -1;
    let most = 0;
    for (let j = start; j < end; j++) {
      const count = counts[row + lists[j]];
      if (count > most) {
        most = count;
        best = lists[j];
      }
    }
    return best;
  };

  const takeAway = (account: number): void => {
    const start = account * width;
    const end = start + sizes[account];
    for (let j = start; j < end; j++) held[lists[j]]--;
    for (let i = followerStarts[account]; i < followerStarts[account + 1]; i++) {
      const reader = followerReaders[i];
      const member = readAt(reader * k, start, end);
      if (member < 0) continue;
      reads[member] -= weights[reader];
      if (--counts[reader * k + member] > 0) continue;
      open[reader * words + (member >>> 5)] &= ~(1 << (member & 31));
      connections[member] -= weights[reader];
    }
    sizes[account] = fixed[account];
    for (let j = start; j < start + fixed[account]; j++) held[lists[j]]++;
  };

  /** Σ over the account's readers of what each open member would serve of what is still missed. */
  const sumGains = (first: number, followers: number): void => {
    gain.fill(0);
    for (let i = 0; i < followers; i++) {
      const miss = missed[i];
      if (miss < missedMin) continue;
      const reader = followerReaders[first + i];
      const row = reader * k;
      for (let word = 0; word < words; word++) {
        let bits = open[reader * words + word];
        while (bits !== 0) {
          const bit = 31 - Math.clz32(bits);
          bits &= ~(1 << bit);
          const member = (word << 5) + bit;
          gain[member] += miss * (1 - chance[counts[row + member]]);
        }
      }
    }
  };

  const missAfter = (first: number, followers: number, member: number): number => {
    let sum = 0;
    for (let i = 0; i < followers; i++) {
      missed[i] *= chance[counts[followerReaders[first + i] * k + member]];
      sum += missed[i];
    }
    return sum;
  };

  const score = (member: number, position: number, sum: number): number => {
    const price = Math.max(-1, prices.open[member]);
    const newcomer = price > 0 ? price : position >= copies - 1 ? price * newcomerBonus : 0;
    return gain[member] * (1 + Math.abs(price)) - (newcomer + prices.read[member]) * sum;
  };

  const choose = (account: number, sum: number, followers: number): { member: number; gains: number } => {
    const position = sizes[account];
    const turn = next() % k;
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let step = 0; step < k; step++) {
      const member = step + turn < k ? step + turn : step + turn - k;
      if (used[member] === 1 || held[member] >= limits.caps[member]) continue;
      if (!state.allows(account, member, position)) continue;
      const gains = followers > 0 ? score(member, position, sum) : 1 - held[member] / limits.caps[member];
      if (gains <= most) continue;
      most = gains;
      best = member;
    }
    return { member: best, gains: most };
  };

  /** Lets a reader without an open copy open the cheapest. */
  const openCheapest = (reader: number, start: number, end: number): number => {
    let best = lists[start];
    for (let j = start + 1; j < end; j++) {
      const member = lists[j];
      if (prices.open[member] + prices.read[member] < prices.open[best] + prices.read[best]) best = member;
    }
    open[reader * words + (best >>> 5)] |= 1 << (best & 31);
    connections[best] += weights[reader];
    return best;
  };

  const putBack = (account: number): void => {
    const first = followerStarts[account];
    const followers = followerStarts[account + 1] - first;
    const start = account * width;
    let sum = 0;
    for (let i = 0; i < followers; i++) {
      missed[i] = weights[followerReaders[first + i]];
      sum += missed[i];
    }
    for (let j = start; j < start + sizes[account]; j++) {
      used[lists[j]] = 1;
      sum = missAfter(first, followers, lists[j]);
    }
    while (sizes[account] < width) {
      const extraCopy = sizes[account] >= copies;
      if (extraCopy && (followers === 0 || extra >= limits.extraBudget)) break;
      sumGains(first, followers);
      const best = choose(account, sum, followers);
      if (extraCopy && (best.member < 0 || best.gains < threshold)) break;
      const member = best.member < 0 ? leastFull(state, account, used) : best.member;
      if (member < 0) break;
      used[member] = 1;
      state.push(account, member);
      if (extraCopy) extra++;
      sum = missAfter(first, followers, member);
    }
    const end = start + sizes[account];
    for (let i = 0; i < followers && end > start; i++) {
      const reader = followerReaders[first + i];
      let member = readAt(reader * k, start, end);
      if (member < 0) {
        if (!prices.opensAtOnce) continue;
        member = openCheapest(reader, start, end);
      }
      reads[member] += weights[reader];
      counts[reader * k + member]++;
    }
    for (let j = start; j < end; j++) {
      used[lists[j]] = 0;
      prices.refresh(lists[j], connections[lists[j]], reads[lists[j]]);
    }
  };

  state.coverAll();
  if (options.fillOnly) {
    closingChances(qFirst, chance);
    prices.refreshAll(connections, reads);
    for (const account of options.fillOnly) putBack(account);
    state.coverAll();
    return penalised(state, overload, options.overloadCost);
  }
  let best = state.snapshot();
  let bestScore = options.only ? penalised(state, overload, options.overloadCost) : Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const progress = rounds > 1 ? round / (rounds - 1) : 1;
    closingChances(byShare ? qFirst : qFirst * (1 - progress), chance);
    prices.relaxed = options.only ? 1 : 1 + (relaxedFirst - 1) * Math.max(0, 1 - progress / relaxedRounds);
    const share = shareFirst + (shareLast - shareFirst) * progress;
    let size = 0;
    for (const account of order) {
      if (fixed[account] >= width || state.hashed[account] === 1) continue;
      const part = options.only
        ? shareOnly
        : state.popularity(account) <= cheapFollowers
          ? shareCheap
          : share;
      if (next() < part) taken[size++] = account;
    }
    prices.refreshAll(connections, reads);
    for (let i = 0; i < size; i++) {
      if (sizes[taken[i]] > copies) extra -= sizes[taken[i]] - Math.max(copies, fixed[taken[i]]);
      takeAway(taken[i]);
    }
    for (let i = 0; i < size; i++) {
      if ((i & 127) === 0 && prices.opensAtOnce) {
        for (let member = 0; member < k; member++) {
          prices.refresh(member, connections[member], reads[member]);
        }
      }
      if ((i & 1023) === 1023 && byShare) prices.refreshAll(connections, reads);
      putBack(taken[i]);
    }
    if (limits.extraBudget > 0) {
      if (extra > limits.extraBudget * 0.999) threshold *= 1.1;
      else if (extra < limits.extraBudget * 0.97) threshold *= 0.9;
    }
    state.coverAll();
    prices.integrate(connections, reads);
    const value = penalised(state, overload, options.overloadCost);
    if (value < bestScore) {
      bestScore = value;
      best = state.snapshot();
    }
    options.onRound?.(round + 1);
  }
  state.restore(best);
  state.coverAll();
  return bestScore;
}

function multipliersOf(state: SearchState): LoadPrices {
  const { connectionCapacity, readCapacity, loadLimit, loadFloor } = state.limits;
  const capacity = {
    connectionLoad: connectionCapacity.map((value) => 1 / value),
    readLoad: readCapacity.map((value) => 1 / value),
    connectionMean: connectionCapacity.map((value) => 1 / value / state.k),
    readMean: readCapacity.map((value) => 1 / value / state.k),
  };
  return new LoadPrices(capacity, loadLimit, loadFloor);
}

/** What a least loaded member under the floor costs when placements are compared, as a share of fanout. */
const lackCost = 0.3;

/**
 * Mean fanout, times one, and `cost` times how far the worst connections or reads lie above their limit, and a part of
 * how far the least connections lie below the floor.
 */
export function penalised(state: SearchState, scratch: Float64Array, cost: number): number {
  const readers = Math.max(1, state.totalWeight);
  const worst = state.overloads(scratch);
  return (state.opened / readers) * (1 + Math.max(0, worst - 1) * cost + state.lack() * lackCost);
}

/** one − one·q^n for n = 0 … 255, rounded up, by repeated multiplication of integers. */
export function weightTable(q: number): Int32Array {
  const table = new Int32Array(256);
  let left = one * one;
  for (let count = 0; count < 256; count++) {
    table[count] = one - Math.floor(left / one);
    left = Math.floor((left * q) / 1000);
  }
  return table;
}

/** Where a copy goes that no member with room may take: the least full by its cap, domains given up last. */
export function leastFull(state: SearchState, account: number, used: Uint8Array): number {
  const { caps } = state.limits;
  for (const strict of [true, false]) {
    let best = -1;
    for (let member = 0; member < state.k; member++) {
      if (used[member] === 1 || caps[member] === 0) continue;
      const position = strict ? state.sizes[account] : state.width;
      if (!state.allows(account, member, position)) continue;
      if (best < 0 || state.held[member] / caps[member] < state.held[best] / caps[best]) best = member;
    }
    if (best >= 0) return best;
  }
  return -1;
}
