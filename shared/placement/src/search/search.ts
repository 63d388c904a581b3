import { seededUint32 } from '@covey/graph';
import type { Effort } from '../problem.ts';
import { restrictSets } from './grouping.ts';
import { localSearch } from './local.ts';
import { byPopularity, leastFull, type PricedVariant, pricedSearch } from './priced.ts';
import { repairCaps } from './rebalance.ts';
import type { SearchState } from './state.ts';

export interface SearchOptions {
  effort: Effort;
  seed: number;
  /** most different sets of copies, beside those of hubs and pins */
  setsMax: number;
  onProgress: (phase: string, done: number, total: number) => void;
}

interface Start {
  from: 'packed' | 'random';
  variant: PricedVariant;
}

/**
 * Tried in this order, with write copies alone and with read copies; which one wins differs by graph and number of
 * members (README, "What was tried").
 */
const portfolios: Record<'balanced' | 'adaptive', readonly Start[]> = {
  balanced: [
    { from: 'random', variant: { q: 700, base: 600, power: 2, overloadMax: 3000, relaxed: 4000 } },
    { from: 'packed', variant: { q: 700, base: 1000, power: 2, overloadMax: 3000, relaxed: 2000 } },
    { from: 'random', variant: { q: 700, base: 1000, power: 2, overloadMax: 1500, relaxed: 1000 } },
    { from: 'random', variant: { q: 700, base: 1000, power: 3, overloadMax: 3000, relaxed: 2000 } },
    { from: 'random', variant: { q: 700, base: 1000, power: 1, overloadMax: 3000, relaxed: 4000 } },
    { from: 'packed', variant: { q: 800, base: 1000, power: 2, overloadMax: 2000, relaxed: 3000 } },
  ],
  adaptive: [
    { from: 'random', variant: { q: 700, base: 1000, power: 2, overloadMax: 3000, relaxed: 2000 } },
    { from: 'packed', variant: { q: 700, base: 1000, power: 2, overloadMax: 3000, relaxed: 2000 } },
    { from: 'random', variant: { q: 700, base: 1000, power: 2, overloadMax: 1500, relaxed: 1000 } },
    { from: 'random', variant: { q: 700, base: 1000, power: 3, overloadMax: 3000, relaxed: 2000 } },
    { from: 'random', variant: { q: 700, base: 1000, power: 1, overloadMax: 3000, relaxed: 4000 } },
    { from: 'random', variant: { q: 700, base: 600, power: 2, overloadMax: 3000, relaxed: 4000 } },
  ],
};

/**
 * Work by effort: follows visited by all priced rounds, their least and most number, starts; local search in all, and
 * for each follow; and what
 * overload costs when rounds and starts are compared, in thousandths: the longer local search is, the more it repairs.
 */
const efforts = {
  quick: {
    follows: 3e7,
    roundsMin: 12,
    roundsMax: 60,
    starts: 2,
    local: 6e7,
    localEach: 500,
    overload: 2000,
  },
  normal: {
    follows: 2.4e8,
    roundsMin: 24,
    roundsMax: 480,
    starts: 6,
    local: 5e8,
    localEach: 4000,
    overload: 1000,
  },
  long: {
    follows: 8e8,
    roundsMin: 60,
    roundsMax: 900,
    starts: 6,
    local: 5e9,
    localEach: 40000,
    overload: 700,
  },
} as const;
/** A start with fewer rounds than this is not worth it. */
const roundsEach = 24;

/**
 * Searches from scratch: the priced search from several starts, the best of them by fanout and overload taken on, its
 * sets of copies restricted, then local search. The state comes in with the packed start and goes out improved.
 */
export function searchCold(state: SearchState, options: SearchOptions): void {
  const effort = efforts[options.effort];
  const follows = Math.max(1, state.followerReaders.length);
  const total = Math.min(effort.roundsMax, Math.max(effort.roundsMin, Math.floor(effort.follows / follows)));
  const count = Math.min(effort.starts, Math.max(1, Math.floor(total / roundsEach)));
  const rounds = Math.floor(total / count);
  const portfolio = portfolios[state.limits.extraBudget > 0 ? 'adaptive' : 'balanced'];
  const packed = state.snapshot();
  let best = packed;
  let bestScore = Number.POSITIVE_INFINITY;
  portfolio.slice(0, count).forEach((start, number) => {
    state.restore(packed);
    const seed = options.seed + number;
    if (start.from === 'random') scatter(state, seed);
    const score = pricedSearch(state, {
      variant: start.variant,
      rounds,
      seed,
      overloadCost: effort.overload,
      onRound: (round) => options.onProgress('search', number * rounds + round, count * rounds),
    });
    if (score >= bestScore) return;
    bestScore = score;
    best = state.snapshot();
  });
  state.restore(best);
  tightenCaps(state);
  repairCaps(state, byPopularity(state));
  state.coverAll();
  const budget = localBudget(state, options.effort) / 2;
  localSearch(state, {
    budget,
    seed: options.seed,
    onProgress: (done, all) => options.onProgress('refine', done, all * 2),
  });
  const sets = restrictSets(state, options.setsMax);
  localSearch(state, {
    budget,
    seed: options.seed + 1,
    ...(sets && { sets }),
    onProgress: (done, all) => options.onProgress('refine', all + done, all * 2),
  });
}

/**
 * Improves a placement that is in use: local search alone, with a bound on the accounts that differ from `before`
 * beyond those that had to change anyway.
 */
export function searchWarm(
  state: SearchState,
  before: { lists: Uint16Array; sizes: Uint8Array },
  changesMax: number,
  options: SearchOptions,
): void {
  state.coverAll();
  localSearch(state, {
    budget: localBudget(state, options.effort),
    seed: options.seed,
    baseline: { ...before, changesMax },
    onProgress: (done, all) => options.onProgress('refine', done, all),
  });
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
