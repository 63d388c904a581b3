import { seededUint32 } from '@covey/graph';
import type { SearchState } from './state.ts';

/** One setting of the search; a portfolio of them is tried, since no single one suits every graph. */
export interface PricedVariant {
  /** chance that a member stays open for a reader who reads n followees there is 1 − q^n; in thousandths */
  q: number;
  /** price of a member, relative to the share of readers that open it; in thousandths */
  base: number;
  /** the price rises with this power of the overload, */
  power: number;
  /** up to this overload, in thousandths */
  overloadMax: number;
  /** the load limit begins at this multiple and falls to 1 over the first 35 % of the rounds; in thousandths */
  relaxed: number;
}

export interface PricedOptions {
  variant: PricedVariant;
  rounds: number;
  seed: number;
  /** how rounds are compared, see {@link penalised}; in thousandths */
  overloadCost: number;
  /** fill only these rows, which are short, and take nothing away: for accounts that are new or lost a member */
  fillOnly?: Uint32Array;
  onRound?: (round: number) => void;
}

/** Fixed-point one: weights, prices and what is still missed are integers in units of 2⁻¹². */
const one = 4096;
/** Share of accounts placed anew in the first and the last round, of 2³². */
const shareFirst = 0.3 * 4294967296;
const shareLast = 0.03 * 4294967296;
/** Of accounts with so few followers this share is placed anew in every round: they cost little and make room. */
const cheapFollowers = 2;
const shareCheap = 0.4 * 4294967296;
const relaxedRounds = 0.35;
/** After that, a member's price is also multiplied by a pressure that follows its overload by this step, up to a most. */
const pressureStep = 0.3;
const pressureMax = 3;

/**
 * The priced search: in each round a falling share of the accounts is taken away, most-followed first, and placed again
 * copy by copy. A copy goes to the member that maximises Σ miss·w(reader, member) − price(member)·Σ miss over the
 * account's readers, where w = 1 − q^(followees that the reader reads there) is the chance that it is open anyhow, and
 * miss is multiplied by 1 − w after each copy. Read copies are added while they gain more than a threshold that
 * steers their number to the budget. Prices are the share of readers that open a member, times a power of its overload:
 * the share alone makes it a null model, as in modularity (an account gains from readers beyond the average), and the
 * overload keeps the limits.
 *
 * Gains are sums of integers; prices, pressure and the threshold use + − × ÷ alone, which IEEE 754 makes the same
 * everywhere. Beyond the prototype that the project started from: limits begin relaxed, so that the
 * placement condenses before it is balanced; then each member's price is multiplied by a pressure that integrates its
 * overload (from the first round on, the same control destroys the structure); loads behind prices are refreshed within
 * a round.
 *
 * Leaves the state at the best round by {@link penalised}, covers recomputed; returns that score.
 */
export function pricedSearch(state: SearchState, options: PricedOptions): number {
  const { k, accounts, copies, width, lists, sizes, fixed, followerStarts, held, limits } = state;
  const { followerReaders, counts, open, words, reads, weights } = state;
  const { variant, rounds } = options;
  const weight = weightTable(variant.q);
  const next = seededUint32(options.seed);
  const order = byPopularity(state);
  const mostFollowed = order.length > 0 ? state.popularity(order[0]) : 0;
  const price = new Float64Array(k);
  const overload = new Float64Array(k);
  const pressure = new Float64Array(k).fill(1);
  const gain = new Float64Array(k);
  const missed = new Int32Array(mostFollowed);
  const used = new Uint8Array(k);
  const taken = new Uint32Array(accounts);
  let threshold = Math.floor(one * 0.3) * one;

  /** Members are charged for what they carry relative to a limit that tightens over the rounds. */
  const setPrices = (relax: number): void => {
    state.overloads(overload);
    for (let member = 0; member < k; member++) {
      const over = Math.min(variant.overloadMax / 1000, overload[member] / relax);
      let factor = 1;
      for (let i = 0; i < variant.power; i++) factor *= over;
      const share = state.totalWeight > 0 ? state.connections[member] / state.totalWeight : 0;
      price[member] = Math.floor((share * factor * pressure[member] * variant.base * one) / 1000);
    }
  };

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
      if (--counts[reader * k + member] === 0) open[reader * words + (member >>> 5)] &= ~(1 << (member & 31));
    }
    sizes[account] = fixed[account];
    for (let j = start; j < start + fixed[account]; j++) held[lists[j]]++;
  };

  /** Σ over the account's readers of what each open member would serve of what is still missed. */
  const sumGains = (first: number, followers: number): void => {
    gain.fill(0);
    for (let i = 0; i < followers; i++) {
      if (missed[i] < 8) continue;
      const reader = followerReaders[first + i];
      const miss = missed[i] * weights[reader];
      const row = reader * k;
      for (let word = 0; word < words; word++) {
        let bits = open[reader * words + word];
        while (bits !== 0) {
          const bit = 31 - Math.clz32(bits);
          bits &= ~(1 << bit);
          const member = (word << 5) + bit;
          const count = counts[row + member];
          gain[member] += miss * weight[count < 255 ? count : 255];
        }
      }
    }
  };

  const missAfter = (first: number, followers: number, member: number): number => {
    let sum = 0;
    for (let i = 0; i < followers; i++) {
      const reader = followerReaders[first + i];
      const count = counts[reader * k + member];
      missed[i] = (missed[i] * (one - weight[count < 255 ? count : 255])) >> 12;
      sum += missed[i] * weights[reader];
    }
    return sum;
  };

  let extra = state.extraCopies();
  const putBack = (account: number): void => {
    const first = followerStarts[account];
    const followers = followerStarts[account + 1] - first;
    const start = account * width;
    missed.fill(one, 0, followers);
    let sum = state.following(account) * one;
    for (let j = start; j < start + sizes[account]; j++) {
      used[lists[j]] = 1;
      if (followers > 0) sum = missAfter(first, followers, lists[j]);
    }
    while (sizes[account] < width) {
      const position = sizes[account];
      if (position >= copies && (followers === 0 || extra >= limits.extraBudget)) break;
      if (followers > 0) sumGains(first, followers);
      const turn = next() % k;
      let best = -1;
      let bestScore = Number.NEGATIVE_INFINITY;
      for (let step = 0; step < k; step++) {
        const member = step + turn < k ? step + turn : step + turn - k;
        if (used[member] === 1 || held[member] >= limits.caps[member]) continue;
        if (!state.allows(account, member, position)) continue;
        const score =
          followers > 0 ? gain[member] - price[member] * sum : 1 - held[member] / limits.caps[member];
        if (score > bestScore) {
          bestScore = score;
          best = member;
        }
      }
      if (position >= copies && (best < 0 || bestScore < threshold)) break;
      if (best < 0) best = leastFull(state, account, used);
      if (best < 0) break;
      used[best] = 1;
      state.push(account, best);
      if (position >= copies) extra++;
      if (followers > 0) sum = missAfter(first, followers, best);
    }
    const end = start + sizes[account];
    for (let j = start; j < end; j++) used[lists[j]] = 0;
    for (let i = 0; i < followers; i++) {
      const reader = followerReaders[first + i];
      const member = readAt(reader * k, start, end);
      if (member < 0) continue;
      reads[member] += weights[reader];
      counts[reader * k + member]++;
    }
  };

  state.coverAll();
  if (options.fillOnly) {
    setPrices(1);
    for (const account of options.fillOnly) putBack(account);
    state.coverAll();
    return penalised(state, overload, options.overloadCost);
  }
  let best = state.snapshot();
  let bestScore = penalised(state, overload, options.overloadCost);
  for (let round = 0; round < rounds; round++) {
    const share = shareFirst + ((shareLast - shareFirst) * round) / Math.max(1, rounds - 1);
    const progress = Math.min(1, round / (rounds * relaxedRounds));
    const relax = (variant.relaxed + (1000 - variant.relaxed) * progress) / 1000;
    let size = 0;
    for (const account of order) {
      if (fixed[account] >= width || state.hashed[account] === 1) continue;
      const anew = next() < (state.popularity(account) <= cheapFollowers ? shareCheap : share);
      if (anew) taken[size++] = account;
    }
    setPrices(relax);
    for (let i = 0; i < size; i++) {
      if (sizes[taken[i]] > copies) extra -= sizes[taken[i]] - copies;
      takeAway(taken[i]);
    }
    for (let i = 0; i < size; i++) {
      if ((i & 1023) === 1023) setPrices(relax);
      putBack(taken[i]);
    }
    if (limits.extraBudget > 0) {
      if (extra > limits.extraBudget * 0.999) threshold *= 1.1;
      else if (extra < limits.extraBudget * 0.97) threshold *= 0.9;
    }
    state.coverAll();
    if (progress === 1) {
      state.overloads(overload);
      for (let member = 0; member < k; member++) {
        const moved = pressure[member] * (1 + pressureStep * (overload[member] - 1));
        pressure[member] = Math.min(pressureMax, Math.max(1, moved));
      }
    }
    const score = penalised(state, overload, options.overloadCost);
    if (score < bestScore || round === 0) {
      bestScore = score;
      best = state.snapshot();
    }
    options.onRound?.(round + 1);
  }
  state.restore(best);
  state.coverAll();
  return bestScore;
}

/** Mean fanout, times one and `cost` thousandths of how far the worst connections or reads lie above their limit. */
export function penalised(state: SearchState, scratch: Float64Array, cost: number): number {
  const readers = Math.max(1, state.totalWeight);
  const worst = state.overloads(scratch);
  return (state.opened / readers) * (1 + (Math.max(0, worst - 1) * cost) / 1000);
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

/** Accounts by readers that follow them, most first, then by number. */
export function byPopularity(state: SearchState): Uint32Array {
  const { accounts } = state;
  let most = 0;
  for (let account = 0; account < accounts; account++) most = Math.max(most, state.popularity(account));
  const starts = new Uint32Array(most + 2);
  for (let account = 0; account < accounts; account++) starts[most - state.popularity(account) + 1]++;
  for (let i = 0; i <= most; i++) starts[i + 1] += starts[i];
  const order = new Uint32Array(accounts);
  for (let account = 0; account < accounts; account++) {
    order[starts[most - state.popularity(account)]++] = account;
  }
  return order;
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
