import { byPopularity } from './by-popularity.ts';
import { weightTable } from './priced.ts';
import type { SearchState } from './state.ts';

const weights = weightTable(700);

/**
 * Lowers the number of different sets of copies to about `setsMax`, for groups are the accounts that share one: the
 * sets that carry most followers stay, and every account of another set goes to the kept set whose members its readers
 * read most from, among sets with room. Accounts with read copies or pins keep what they have.
 * @returns the sets in use afterwards, as keys of their members in ascending order, joined by commas; nothing when there were few enough
 */
export function restrictSets(state: SearchState, setsMax: number): Set<string> | undefined {
  const { k, copies, width, lists, sizes, fixed, held, limits } = state;
  const { followerStarts, followerReaders, counts, open, words, connections, weights: readerWeight } = state;
  const setOf = new Int32Array(state.accounts).fill(-1);
  const numbers = new Map<string, number>();
  const sets: Uint16Array[] = [];
  const load: number[] = [];
  for (let account = 0; account < state.accounts; account++) {
    if (sizes[account] !== copies || fixed[account] > 0) continue;
    const members = lists.slice(account * width, account * width + copies).sort();
    const key = members.join();
    let set = numbers.get(key);
    if (set === undefined) {
      set = sets.length;
      numbers.set(key, set);
      sets.push(members);
      load.push(0);
    }
    setOf[account] = set;
    load[set] += 1 + state.popularity(account);
  }
  if (sets.length <= setsMax) return undefined;
  const kept = sets.map((_, set) => set).sort((a, b) => load[b] - load[a] || a - b);
  kept.length = Math.max(1, setsMax);
  const isKept = new Uint8Array(sets.length);
  const setsOf: number[][] = Array.from({ length: k }, () => []);
  for (const set of kept) {
    isKept[set] = 1;
    for (const member of sets[set]) if (setsOf[member].length < setsTried) setsOf[member].push(set);
  }

  const gain = new Float64Array(k);
  const preference = Array.from({ length: k }, (_, member) => member);
  const price = new Float64Array(k);
  const overload = new Float64Array(k);
  state.overloads(overload);
  for (let member = 0; member < k; member++) {
    const share = state.totalWeight > 0 ? connections[member] / state.totalWeight : 0;
    price[member] = Math.floor(share * 4096 * Math.min(2, overload[member]));
  }
  for (const account of byPopularity(state)) {
    const old = setOf[account];
    if (old < 0 || isKept[old] === 1) continue;
    const first = followerStarts[account];
    const followers = followerStarts[account + 1] - first;
    const following = state.following(account);
    for (let member = 0; member < k; member++) {
      gain[member] = followers > 0 ? -price[member] * following : -held[member] / limits.caps[member];
    }
    for (let i = first; i < first + followers; i++) {
      const reader = followerReaders[i];
      for (let word = 0; word < words; word++) {
        let bits = open[reader * words + word];
        while (bits !== 0) {
          const bit = 31 - Math.clz32(bits);
          bits &= ~(1 << bit);
          const member = (word << 5) + bit;
          gain[member] += readerWeight[reader] * weights[Math.min(255, counts[reader * k + member])];
        }
      }
    }
    const set = bestSet(state, account, gain, preference, setsOf, sets);
    if (set < 0) continue;
    const start = account * width;
    for (let i = 0; i < copies; i++) {
      held[lists[start + i]]--;
      held[sets[set][i]]++;
      lists[start + i] = sets[set][i];
    }
  }
  state.coverAll();
  return new Set(kept.map((set) => sets[set].join()));
}

/** Members whose sets are tried for an account, best first, and sets tried with each, of most followers first. */
const membersTried = 4;
const setsTried = 128;

/** The kept set of most summed gain that has room, among the sets of the account's best members. */
function bestSet(
  state: SearchState,
  account: number,
  gain: Float64Array,
  preference: number[],
  setsOf: readonly (readonly number[])[],
  sets: readonly Uint16Array[],
): number {
  const { held, limits, lists, width, copies } = state;
  const start = account * width;
  preference.sort((a, b) => gain[b] - gain[a] || a - b);
  let best = -1;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < preference.length; i++) {
    if (best >= 0 && i >= membersTried) break;
    for (const set of setsOf[preference[i]]) {
      let score = 0;
      for (const member of sets[set]) {
        const own = isIn(lists, start, start + copies, member);
        if ((held[member] >= limits.caps[member] && !own) || limits.denied.get(account)?.has(member)) {
          score = Number.NEGATIVE_INFINITY;
          break;
        }
        score += gain[member];
      }
      if (score > bestScore) {
        bestScore = score;
        best = set;
      }
    }
  }
  return best;
}

function isIn(lists: Uint16Array, from: number, to: number, member: number): boolean {
  for (let i = from; i < to; i++) if (lists[i] === member) return true;
  return false;
}
