import { seededUint32 } from '@covey/graph';
import { byPopularity } from './by-popularity.ts';
import { weightTable } from './priced.ts';
import type { SearchState } from './state.ts';

export interface LocalOptions {
  /** work allowed, in followees of readers whose covers are recomputed */
  budget: number;
  seed: number;
  /** warm start: the rows of before, and how many accounts may differ from them; those that differ already are free */
  baseline?: { lists: Uint16Array; sizes: Uint8Array; changesMax: number };
  /** sets of copies that accounts without read copies or pins may have, as restrictSets returns them; any by default */
  sets?: ReadonlySet<string>;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Accounts with more followers than this are left to the priced search, and those with more than `costlyFollowers` are
 * tried in inverse proportion to their number (four times as often while a member is overloaded): a try costs as much as
 * the covers of all its readers.
 */
const followersMax = 2000;
const costlyFollowers = 100;
/** Accounts with at most so many followers change places with others when a member is full. */
const cheapFollowers = 2;
const swapTries = 200;
/** Readers' chance to keep a member open, as in the priced search. */
const weights = weightTable(700);
/** Energy, relative to fanout: these × (squared overloads, squared lacks of load), and relays about to close. */
const overloadWeight = 2;
const lackWeight = 0.5;
const closingWeight = 0.1;
/** Warm start: what moving every account would have to gain, as a share of fanout. */
const stickiness = 0.1;

/**
 * Local search on the exact objective: one copy of one account moves to another member, chosen by what its readers have
 * open; the covers of its readers are recomputed, and the move stays if energy does not rise. When the other member is
 * full, an account with hardly any followers comes back in exchange. Proposals start from a random reader and the member
 * from which it reads least, which is the one it could do without; while a member is past its limit, half of them start
 * there.
 *
 * Energy is a sum of quotients and products of integers in a fixed order: IEEE 754 makes it the same everywhere.
 * @returns moves kept
 */
export function localSearch(state: SearchState, options: LocalOptions): number {
  const { k, width, words, lists, sizes, fixed, copies, held, limits, graph } = state;
  const { readers, followerStarts, followerReaders, counts, open, connections } = state;
  if (readers.length === 0 || k <= copies) return 0;
  const next = seededUint32(options.seed);
  const random = (below: number): number => Math.floor((next() / 4294967296) * below);
  const cheap = byPopularity(state).filter(
    (account) => state.popularity(account) <= cheapFollowers && state.hashed[account] === 0,
  );
  const energy = new Energy(state);
  const gain = new Float64Array(k);
  const overload = new Float64Array(k);
  const original = options.baseline;
  const changesMax = options.baseline?.changesMax ?? Number.POSITIVE_INFINITY;
  const changed = new Set<number>();

  const stamp = new Uint32Array(readers.length);
  let epoch = 0;
  const touched = new Uint32Array(2 * followersMax);
  const savedCounts = new Uint16Array(2 * followersMax * k);
  const savedOpen = new Int32Array(2 * followersMax * words);
  let touchedSize = 0;
  let work = 0;

  const touchReaders = (account: number): void => {
    for (let i = followerStarts[account]; i < followerStarts[account + 1]; i++) {
      const reader = followerReaders[i];
      if (stamp[reader] === epoch) continue;
      stamp[reader] = epoch;
      touched[touchedSize++] = reader;
    }
  };

  /** Puts another member in place of the copy at `at` (and back at `swapAt`) and keeps that if energy allows. */
  const attempt = (account: number, at: number, to: number, other: number, swapAt: number): boolean => {
    const from = lists[at];
    const gainMin = original && !changed.has(account) ? energy.scale * (stickiness / state.accounts) : 0;
    epoch++;
    touchedSize = 0;
    touchReaders(account);
    if (other >= 0) touchReaders(other);
    const before = state.opened;
    const closingBefore = energy.closing;
    for (let i = 0; i < touchedSize; i++) {
      const row = touched[i] * k;
      for (let member = 0; member < k; member++) savedCounts[i * k + member] = counts[row + member];
      for (let word = 0; word < words; word++) savedOpen[i * words + word] = open[touched[i] * words + word];
    }
    lists[at] = to;
    if (other >= 0) lists[swapAt] = from;
    for (let i = 0; i < touchedSize; i++) {
      const reader = touched[i];
      work += k + graph.offsets[readers[reader] + 1] - graph.offsets[readers[reader]];
      state.cover(reader);
      energy.exchange(reader, savedCounts, i * k, counts, reader * k);
    }
    if (energy.settle(gainMin)) return true;
    lists[at] = from;
    if (other >= 0) lists[swapAt] = to;
    for (let i = 0; i < touchedSize; i++) {
      const row = touched[i] * k;
      energy.exchange(touched[i], counts, row, savedCounts, i * k);
      for (let member = 0; member < k; member++) counts[row + member] = savedCounts[i * k + member];
      for (let word = 0; word < words; word++) open[touched[i] * words + word] = savedOpen[i * words + word];
    }
    state.opened = before;
    energy.closing = closingBefore;
    return false;
  };

  /** The open member from which a reader reads least, with some chance for others. */
  const weakest = (reader: number): number => {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let word = 0; word < words; word++) {
      let bits = open[reader * words + word];
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        const member = (word << 5) + bit;
        const count = counts[reader * k + member] * (2147483648 + next());
        if (count < least) {
          least = count;
          best = member;
        }
      }
    }
    return best;
  };

  /** A random followee of a reader that has a copy on a member. */
  const followeeOn = (reader: number, member: number): number => {
    let chosen = -1;
    let seen = 0;
    const account = readers[reader];
    for (let i = graph.offsets[account]; i < graph.offsets[account + 1]; i++) {
      const followee = graph.targets[i];
      if (!state.holds(followee, member) || state.popularity(followee) > followersMax) continue;
      if (random(++seen) === 0) chosen = followee;
    }
    return chosen;
  };

  /** The member that would serve most of what the account's readers miss without the copy at `at`. */
  const target = (account: number, at: number): number => {
    const start = account * width;
    const end = start + sizes[account];
    const first = followerStarts[account];
    const followers = followerStarts[account + 1] - first;
    const following = state.following(account);
    gain.fill(0);
    for (let i = first; i < first + followers; i++) {
      const reader = followerReaders[i];
      const row = reader * k;
      let miss = 4096;
      for (let j = start; j < end; j++) {
        if (j !== at) miss = (miss * (4096 - weights[Math.min(255, counts[row + lists[j]])])) >> 12;
      }
      if (miss < 8) continue;
      for (let word = 0; word < words; word++) {
        let bits = open[reader * words + word];
        while (bits !== 0) {
          const bit = 31 - Math.clz32(bits);
          bits &= ~(1 << bit);
          const member = (word << 5) + bit;
          gain[member] += miss * state.weights[reader] * weights[Math.min(255, counts[row + member])];
        }
      }
    }
    state.overloads(overload);
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let member = 0; member < k; member++) {
      if (limits.caps[member] === 0 || state.holds(account, member)) continue;
      if (!state.allows(account, member, at - start) || gain[member] === 0) continue;
      const noise = 0.7 + (0.6 * next()) / 4294967296;
      const share = connections[member] / state.totalWeight + (overload[member] > 1 ? overload[member] : 0);
      const score = gain[member] * noise - 0.3 * share * following * 16777216;
      if (score > bestScore && isKnownSet(account, at, member)) {
        bestScore = score;
        best = member;
      }
    }
    return best;
  };

  /** A cheap account on `on` that could go to `to`: its row index, or −1. */
  let partner = -1;
  const findPartner = (account: number, on: number, to: number): number => {
    for (let i = 0; i < swapTries && cheap.length > 0; i++) {
      const other = cheap[random(cheap.length)];
      if (other === account || state.holds(other, to)) continue;
      const start = other * width;
      for (let j = start + fixed[other]; j < start + sizes[other]; j++) {
        if (lists[j] !== on || !state.allows(other, to, j - start) || !isKnownSet(other, j, to)) continue;
        partner = other;
        return j;
      }
    }
    return -1;
  };

  const note = (account: number): void => {
    if (!original) return;
    const start = account * width;
    const before = original.lists.subarray(start, start + original.sizes[account]);
    const same = before.length === sizes[account] && before.every((member) => state.holds(account, member));
    if (same) changed.delete(account);
    else changed.add(account);
  };

  /** Would the row still be one of the sets allowed, with another member at `at`? */
  const isKnownSet = (account: number, at: number, member: number): boolean => {
    if (!options.sets || sizes[account] > copies || fixed[account] > 0) return true;
    const start = account * width;
    const row = lists.slice(start, start + copies);
    row[at - start] = member;
    return options.sets.has(row.sort().join());
  };

  if (original) for (let account = 0; account < state.accounts; account++) note(account);

  let kept = 0;
  let fruitless = 0;
  let reported = 0;
  while (work < options.budget && fruitless < 20000) {
    work += 64;
    fruitless++;
    const reader = random(readers.length);
    const relieve = energy.worst >= 0 && random(2) === 0 && counts[reader * k + energy.worst] > 0;
    const weak = relieve ? energy.worst : weakest(reader);
    if (weak < 0) continue;
    const account = followeeOn(reader, weak);
    if (account < 0 || sizes[account] === fixed[account]) continue;
    const worth = costlyFollowers * (energy.worst >= 0 ? 4 : 1);
    if (random(state.popularity(account)) >= worth) continue;
    if (changed.size >= changesMax && !changed.has(account)) continue;
    const at = relieve ? rowIndex(state, account, weak) : copyAt(state, account, random);
    if (at < 0) continue;
    work += 4 * state.popularity(account);
    const to = target(account, at);
    if (to < 0) continue;
    const from = lists[at];
    if (held[to] < limits.caps[to]) {
      if (!attempt(account, at, to, -1, -1)) continue;
      held[from]--;
      held[to]++;
    } else {
      const swapAt = findPartner(account, to, from);
      if (swapAt < 0 || (original && !changed.has(partner))) continue;
      if (!attempt(account, at, to, partner, swapAt)) continue;
      note(partner);
    }
    note(account);
    kept++;
    fruitless = 0;
    if (work - reported > options.budget / 50) {
      reported = work;
      options.onProgress?.(work, options.budget);
    }
  }
  return kept;
}

/** Where an account's copy on a member stands, if it is not pinned; −1 otherwise. */
function rowIndex(state: SearchState, account: number, member: number): number {
  const start = account * state.width;
  for (let j = start + state.fixed[account]; j < start + state.sizes[account]; j++) {
    if (state.lists[j] === member) return j;
  }
  return -1;
}

/** A random copy of an account that is not pinned. */
function copyAt(state: SearchState, account: number, random: (below: number) => number): number {
  return account * state.width + state.fixed[account] + random(state.sizes[account] - state.fixed[account]);
}

/** What local search lowers, kept up to date as readers' rows change. */
class Energy {
  /** Σ over (reader, open member) of the chance that it closes */
  closing = 0;
  /** the member furthest past its limit, −1 when none is */
  worst = -1;
  #value: number;
  /** fanout at the start: penalties are relative to it */
  readonly scale: number;
  readonly #state: SearchState;

  constructor(state: SearchState) {
    this.#state = state;
    for (let i = 0; i < state.counts.length; i++) {
      if (state.counts[i] === 0) continue;
      const weight = state.weights[Math.floor(i / state.k)];
      this.closing += weight * (4096 - weights[Math.min(255, state.counts[i])]);
    }
    this.scale = state.opened / state.totalWeight;
    this.#value = this.#compute();
  }

  /** Replaces one reader's row by another in the loads. */
  exchange(reader: number, before: Uint16Array, at: number, after: Uint16Array, row: number): void {
    const state = this.#state;
    const weight = state.weights[reader];
    for (let member = 0; member < state.k; member++) {
      const was = before[at + member];
      const is = after[row + member];
      if (was === is) continue;
      state.reads[member] += weight * (is - was);
      if (was > 0) this.closing -= weight * (4096 - weights[was < 255 ? was : 255]);
      if (is > 0) this.closing += weight * (4096 - weights[is < 255 ? is : 255]);
      if (was === 0) {
        state.connections[member] += weight;
        state.opened += weight;
      } else if (is === 0) {
        state.connections[member] -= weight;
        state.opened -= weight;
      }
    }
  }

  /** Accepts the present loads if their energy is lower by `gainMin` or more. */
  settle(gainMin: number): boolean {
    const value = this.#compute();
    if (value > this.#value - gainMin) return false;
    this.#value = value;
    return true;
  }

  #compute(): number {
    const { k, limits, connections, reads, totalWeight, opened } = this.#state;
    const { connectionCapacity, readCapacity, caps } = limits;
    let connectionMean = 0;
    let readMean = 0;
    for (let member = 0; member < k; member++) {
      connectionMean += connections[member] / connectionCapacity[member] / k;
      readMean += reads[member] / readCapacity[member] / k;
    }
    let penalty = 0;
    let worst = -1;
    let most = 0;
    for (let member = 0; member < k; member++) {
      if (caps[member] === 0) continue;
      const byConnections = connections[member] / connectionCapacity[member] / connectionMean;
      const byReads = reads[member] / readCapacity[member] / readMean;
      const overConnections = byConnections / limits.loadLimit - 1;
      const overReads = byReads / limits.loadLimit - 1;
      if (overConnections > most || overReads > most) {
        most = Math.max(overConnections, overReads);
        worst = member;
      }
      const lack = limits.loadFloor - byConnections;
      if (overConnections > 0) penalty += overloadWeight * overConnections * overConnections;
      if (overReads > 0) penalty += overloadWeight * overReads * overReads;
      if (lack > 0) penalty += lackWeight * lack * lack;
    }
    this.worst = worst;
    return (opened + (closingWeight * this.closing) / 4096) / totalWeight + penalty * this.scale;
  }
}
