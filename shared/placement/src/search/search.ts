import { seededUint32 } from '@covey/graph';
import type { Effort } from '../problem.ts';
import { byPopularity } from './by-popularity.ts';
import { restrictSets } from './grouping.ts';
import { localSearch } from './local.ts';
import { mirroredSearch } from './mirrored.ts';
import { leastFull, type PriceKind, penalised, pricedSearch } from './priced.ts';
import { repairCaps } from './rebalance.ts';
import type { SearchState } from './state.ts';

export interface SearchOptions {
  effort: Effort;
  seed: number;
  /** most different sets of copies, beside those of hubs and pins */
  setsMax: number;
  onProgress: (phase: string, done: number, total: number) => void;
}

/**
 * Work by effort: most starts and sweeps of the mirrored search, and follows visited by all; prices of the priced search, with write
 * copies alone and with read copies, each of which is a start; follows
 * visited by all its rounds, their least and most number for each start; local search in all, and for each follow; and
 * what overload costs when rounds and starts are compared: the longer local search is, the more it repairs.
 */
const efforts = {
  quick: {
    mirrored: 2,
    sweeps: 60,
    sweepFollows: 6e7,
    prices: { balanced: ['multipliers'], adaptive: ['shares', 'multipliers'] },
    follows: 6e7,
    roundsMin: 16,
    roundsMax: 100,
    local: 3e7,
    localEach: 300,
    overload: 2,
  },
  normal: {
    mirrored: 4,
    sweeps: 100,
    sweepFollows: 2e8,
    prices: { balanced: ['multipliers'], adaptive: ['shares', 'multipliers'] },
    follows: 2e8,
    roundsMin: 30,
    roundsMax: 250,
    local: 1.2e8,
    localEach: 1000,
    overload: 1.5,
  },
  long: {
    mirrored: 12,
    sweeps: 200,
    sweepFollows: 4e9,
    prices: { balanced: ['multipliers', 'shares'], adaptive: ['shares', 'multipliers'] },
    follows: 2e9,
    roundsMin: 100,
    roundsMax: 600,
    local: 2e9,
    localEach: 10000,
    overload: 1,
  },
} as const;

/**
 * Searches from scratch: mirrored sets, and the priced search on single copies; the better of them by
 * fanout, overload and idle members is taken on, its sets of copies restricted, then local search. Mirrored sets win
 * where readers follow hundreds of accounts, single copies where they follow few. The state comes in with every row
 * filled and goes out improved.
 */
export function searchCold(state: SearchState, options: SearchOptions): void {
  const effort = efforts[options.effort];
  const { onProgress, seed } = options;
  const scratch = new Float64Array(state.k);
  const start = state.snapshot();
  let best = start;
  let bestScore = Number.POSITIVE_INFINITY;
  const consider = (score: number): void => {
    if (score >= bestScore) return;
    bestScore = score;
    best = state.snapshot();
  };
  const follows = Math.max(1, state.followerReaders.length);
  const { mirrored, sweeps } = sweepsFor(effort, follows);
  for (let number = 0; number < mirrored; number++) {
    const onSweep = (sweep: number): void => onProgress('mirror', number * sweeps + sweep, mirrored * sweeps);
    state.restore(start);
    if (!mirroredSearch(state, { sweeps, seed: seed + number, onSweep })) break;
    fillShort(state);
    repairCaps(state, byPopularity(state));
    state.coverAll();
    consider(penalised(state, scratch, effort.overload));
  }
  const affordable = Math.floor(effort.follows / follows);
  const starts: readonly PriceKind[] = effort.prices[state.limits.extraBudget > 0 ? 'adaptive' : 'balanced'];
  const count = starts.length;
  const rounds = Math.min(effort.roundsMax, Math.max(effort.roundsMin, Math.floor(affordable / count)));
  const condensed = condensedStart(state, start, seed);
  starts.forEach((prices, number) => {
    state.restore(condensed);
    const score = pricedSearch(state, {
      prices,
      rounds,
      seed: seed + number,
      overloadCost: effort.overload,
      onRound: (round) => onProgress('search', number * rounds + round, count * rounds),
    });
    consider(score);
  });
  state.restore(best);
  tightenCaps(state);
  repairCaps(state, byPopularity(state));
  state.coverAll();
  const budget = localBudget(state, options.effort) / 2;
  localSearch(state, {
    budget,
    seed,
    onProgress: (done, all) => onProgress('refine', done, all * 2),
  });
  const sets = restrictSets(state, options.setsMax);
  localSearch(state, {
    budget,
    seed: seed + 1,
    ...(sets && { sets }),
    onProgress: (done, all) => onProgress('refine', all + done, all * 2),
  });
}

/** What overload costs when the starts of the priced search are compared: it repairs most of it. */
const startOverload = 0.5;

/**
 * Where the priced search begins: as the rows came in, which are communities packed, or with accounts dealt to mirrored
 * sets by popularity; packed where communities are strong enough to keep loads bearable, and random rows where there are
 * no sets.
 */
function condensedStart(state: SearchState, packed: Saved, seed: number): Saved {
  const scratch = new Float64Array(state.k);
  state.restore(packed);
  state.coverAll();
  const packedScore = penalised(state, scratch, startOverload);
  if (mirroredSearch(state, { sweeps: 0, seed })) fillShort(state);
  else scatter(state, seed);
  state.coverAll();
  return penalised(state, scratch, startOverload) < packedScore ? state.snapshot() : packed;
}

type Saved = ReturnType<SearchState['snapshot']>;

/** Starts of the mirrored search and sweeps of each, within the effort's work: fewer starts first, then fewer sweeps. */
function sweepsFor(effort: (typeof efforts)[Effort], follows: number): { mirrored: number; sweeps: number } {
  const affordable = Math.floor(effort.sweepFollows / follows);
  const mirrored = Math.min(effort.mirrored, Math.max(1, Math.floor(affordable / effort.sweeps)));
  return { mirrored, sweeps: Math.min(effort.sweeps, Math.max(effort.roundsMin, affordable)) };
}

/** Fills rows that came out short with the least full members. */
function fillShort(state: SearchState): void {
  const used = new Uint8Array(state.k);
  for (let account = 0; account < state.accounts; account++) {
    while (state.sizes[account] < state.copies) {
      const start = account * state.width;
      used.fill(0);
      for (let j = start; j < start + state.sizes[account]; j++) used[state.lists[j]] = 1;
      const member = leastFull(state, account, used);
      if (member < 0) break;
      state.push(account, member);
    }
  }
}

/** Warm start: rounds for the accounts that make readers open most, and their part of those that may change. */
const hotRounds = 12;
const hotShare = 0.8;

/**
 * Improves a placement that is in use: the priced search for the accounts that alone make readers open a member, then local
 * search.
 * @param changes how many accounts had to change, and how many more may differ from `before`
 */
export function searchWarm(
  state: SearchState,
  before: { lists: Uint16Array; sizes: Uint8Array },
  changes: { must: number; free: number },
  options: SearchOptions,
): void {
  state.coverAll();
  pricedSearch(state, {
    prices: 'shares',
    rounds: hotRounds,
    seed: options.seed,
    overloadCost: startOverload,
    only: soleReasons(state, Math.floor(changes.free * hotShare)),
  });
  localSearch(state, {
    budget: localBudget(state, options.effort),
    seed: options.seed,
    baseline: { ...before, changesMax: changes.must + changes.free },
    onProgress: (done, all) => options.onProgress('refine', done, all),
  });
}

/** Accounts that are the only reason of most readers to open a member, so many. Needs covers that are up to date. */
function soleReasons(state: SearchState, count: number): Uint32Array {
  const { graph, readers, counts, open, words, k, width, sizes, copies, fixed, lists, weights } = state;
  const reasons = new Float64Array(state.accounts);
  for (let reader = 0; reader < readers.length; reader++) {
    const account = readers[reader];
    for (let i = graph.offsets[account]; i < graph.offsets[account + 1]; i++) {
      const followee = graph.targets[i];
      let only = -1;
      for (let j = followee * width; j < followee * width + sizes[followee] && only !== -2; j++) {
        const member = lists[j];
        if ((open[reader * words + (member >>> 5)] & (1 << (member & 31))) === 0) continue;
        only = only === -1 ? member : -2;
      }
      if (only >= 0) reasons[followee] += weights[reader] / counts[reader * k + only];
    }
  }
  const accounts = Uint32Array.from(reasons.keys()).filter(
    (account) => reasons[account] > 0 && state.hashed[account] === 0 && fixed[account] < copies,
  );
  return accounts.sort((a, b) => reasons[b] - reasons[a] || a - b).subarray(0, count);
}

/** Caps are made for the whole budget of read copies; where less was spent, they shrink with it. */
function tightenCaps(state: SearchState): void {
  const hashed = state.hashed.reduce((sum, is) => sum + is, 0);
  const planned = (state.accounts - hashed) * state.copies + state.limits.extraBudget;
  const present = state.held.reduce((sum, copies) => sum + copies, 0);
  const { caps } = state.limits;
  for (let member = 0; member < state.k; member++) {
    caps[member] = Math.min(caps[member], Math.ceil((caps[member] * present) / planned));
  }
}

function localBudget(state: SearchState, effort: Effort): number {
  return Math.min(efforts[effort].local, state.followerReaders.length * efforts[effort].localEach);
}

/** Random members for every copy that is not pinned, within caps; drops read copies. */
function scatter(state: SearchState, seed: number): void {
  const { accounts, copies, sizes, fixed, k, limits, held } = state;
  const next = seededUint32(seed);
  sizes.set(fixed);
  state.recount();
  const used = new Uint8Array(k);
  for (let account = 0; account < accounts; account++) {
    const start = account * state.width;
    used.fill(0);
    for (let i = start; i < start + sizes[account]; i++) used[state.lists[i]] = 1;
    let tries = 0;
    while (sizes[account] < copies) {
      let member = next() % k;
      if (tries++ > 4 * k) {
        member = leastFull(state, account, used);
        if (member < 0) break;
      } else if (
        used[member] === 1 ||
        held[member] >= limits.caps[member] ||
        !state.allows(account, member, sizes[account])
      ) {
        continue;
      }
      used[member] = 1;
      state.push(account, member);
    }
  }
}
