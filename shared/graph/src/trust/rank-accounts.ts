import type { FollowGraph } from '../csr.ts';

/** The rank that the seeds give out in total. Ranks are whole numbers of 1 / RANK_ONE; together at most RANK_ONE. */
export const RANK_ONE = 2 ** 52;

export interface RankOptions {
  /** how much of an account's trust its follows pass on, in per cent, 1 to 99. 85 by default */
  dampingPercent?: number;
  /** longest chain of follows from a seed that carries trust. 20 by default, 64 at most */
  stepsMax?: number;
  /**
   * One follow passes on at most this fraction of what an account passes on: 1 / followsMin. An account that follows
   * fewer loses the rest, so that nobody's only follow is worth a fortune. 4 by default; 1 turns it off.
   */
  followsMin?: number;
}

export interface TrustRanks {
  /** one whole number an account, in units of 1 / RANK_ONE */
  readonly ranks: Float64Array;
  /** `seeds`: trust flowed from seeds. `equal`: there were none, everybody has the same rank, nothing is resisted */
  readonly basis: 'seeds' | 'equal';
  readonly dampingPercent: number;
  readonly stepsMax: number;
  readonly followsMin: number;
}

/**
 * Ranks accounts by the chance that a walk from a random seed along follows ends at them: personalised PageRank (Page
 * et al. 1999; Haveliwala 2002, "Topic-sensitive PageRank") by power iteration, cut off after `stepsMax` follows as
 * SybilRank does (Cao et al., NSDI 2012), whose undirected, degree-normalised walk itself does not fit: a follow needs
 * no consent, and a fake account's own follows must be worth nothing. EigenTrust (Kamvar et al. 2003) is the same walk,
 * iterated to its limit over ratings that we do not have.
 *
 * A walk that finds no follow ends unpaid instead of returning to the seeds. That keeps the rank linear, and so gives
 * the bound on fake follows that {@link shiftBound} computes: a ring of any size, wired in any way, gains in total no
 * more than the walks that its attack edges catch.
 *
 * Trust moves in whole units below 2^53, rounded down where it is divided: sums do not depend on their order, so that
 * numbering the accounts differently changes no rank. Without seeds every rank is the same (`basis: 'equal'`): ranking
 * by followers would sell trust at the price of a key. 24 bytes an account; O(edges × stepsMax).
 * @param seeds accounts trusted from the start, in equal parts; repeats count once
 * @throws RangeError for a seed outside the graph or an option out of its range
 */
export function rankAccounts(
  graph: FollowGraph,
  seeds: Iterable<number>,
  options: RankOptions = {},
): TrustRanks {
  const dampingPercent = whole('dampingPercent', options.dampingPercent ?? 85, 1, 99);
  const stepsMax = whole('stepsMax', options.stepsMax ?? 20, 1, 64);
  const followsMin = whole('followsMin', options.followsMin ?? 4, 1, 1_000_000);
  const distinct = new Set(seeds);
  for (const seed of distinct) {
    if (!Number.isInteger(seed) || seed < 0 || seed >= graph.nodes) {
      throw new RangeError(`seed ${seed} is no account of this graph (0..${graph.nodes - 1})`);
    }
  }
  const settings = { dampingPercent, stepsMax, followsMin };
  const ranks = new Float64Array(graph.nodes);
  if (distinct.size === 0) {
    if (graph.nodes > 0) ranks.fill(Math.floor(RANK_ONE / graph.nodes));
    return { ranks, basis: 'equal', ...settings };
  }
  let here: Float64Array = new Float64Array(graph.nodes);
  for (const seed of distinct) here[seed] = Math.floor(RANK_ONE / distinct.size);
  let next: Float64Array = new Float64Array(graph.nodes);
  for (let step = 0; ; step++) {
    for (let node = 0; node < graph.nodes; node++) {
      ranks[node] += percentOf(here[node], 100 - dampingPercent);
    }
    if (step === stepsMax || !walk(graph, here, next, dampingPercent, followsMin)) break;
    [here, next] = [next, here];
    next.fill(0);
  }
  return { ranks, basis: 'seeds', ...settings };
}

/**
 * One follow further: whole numbers below 2^53, of which a rounded quotient has the exact floor.
 * @returns whether anything moved
 */
function walk(
  { nodes, offsets, targets }: FollowGraph,
  here: Float64Array,
  next: Float64Array,
  dampingPercent: number,
  followsMin: number,
): boolean {
  let moved = false;
  for (let node = 0; node < nodes; node++) {
    if (here[node] === 0) continue;
    const start = offsets[node];
    const end = offsets[node + 1];
    const share = Math.floor(percentOf(here[node], dampingPercent) / Math.max(end - start, followsMin));
    if (share === 0 || start === end) continue;
    for (let i = start; i < end; i++) next[targets[i]] += share;
    moved = true;
  }
  return moved;
}

/** ⌊mass × percent / 100⌋, exactly, where mass × percent may pass 2^53. */
function percentOf(mass: number, percent: number): number {
  const hundreds = Math.floor(mass / 100);
  return hundreds * percent + Math.floor(((mass - hundreds * 100) * percent) / 100);
}

function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${name} is ${value}; give a whole number from ${min} to ${max}`);
}
