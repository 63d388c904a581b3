import type { SearchState } from './state.ts';

/** A member below this share of its due, in thousandths, is filled; it is filled up to `filled`. */
const wanting = 650;
const filled = 970;

/**
 * After a change of members: gives copies to members that hold much less than their due (they joined), those that
 * readers miss least where they stand and the most followed of them, from each of the others its part; and takes copies
 * from members above their cap, from who is fullest, set by set. Recomputes the covers.
 * @param due what each member is due of all copies that there may be
 */
export function rebalance(state: SearchState, due: Float64Array): void {
  const { accounts, width, sizes, lists, copies, fixed, held, limits, k } = state;
  const all = due.reduce((sum, share) => sum + share, 0);
  const present = held.reduce((sum, copies) => sum + copies, 0);
  const shares = due.map((share) => (share * present) / all);
  const bySet = new Map<string, number[]>();
  for (let account = 0; account < accounts; account++) {
    if (fixed[account] >= copies || sizes[account] < copies) continue;
    const start = account * width;
    const key = lists.slice(start, start + sizes[account]).join();
    const set = bySet.get(key);
    if (set) set.push(account);
    else bySet.set(key, [account]);
  }
  const sets = [...bySet.values()].sort((a, b) => b.length - a.length || a[0] - b[0]);

  const move = (account: number, from: number, to: number): boolean => {
    const start = account * width;
    for (let j = start + fixed[account]; j < start + copies; j++) {
      if (lists[j] !== from) continue;
      if (state.holds(account, to) || !state.allows(account, to, j - start)) return false;
      lists[j] = to;
      held[from]--;
      held[to]++;
      return true;
    }
    return false;
  };

  state.coverAll();
  for (let to = 0; to < k; to++) {
    if (limits.caps[to] === 0 || held[to] * 1000 >= shares[to] * wanting) continue;
    const goal = Math.min(limits.caps[to], Math.floor((shares[to] * filled) / 1000));
    // Each gives its part, so that none is left above its cap; what is wanting then is anybody's.
    const part = (goal - held[to]) / (present - held[to]);
    const least = held.map((copies) => Math.floor(copies * (1 - part)));
    const offers = harmlessFirst(state);
    for (const floor of [least, shares])
      for (let i = 0; i < offers.accounts.length && held[to] < goal; i++) {
        const from = offers.members[i];
        if (held[from] > floor[from]) move(offers.accounts[i], from, to);
      }
  }
  for (const set of sets) {
    for (const account of set) {
      const from = fullest(state, account, shares);
      if (from < 0 || held[from] <= limits.caps[from]) continue;
      let best = -1;
      for (let member = 0; member < k; member++) {
        if (limits.caps[member] === 0 || held[member] >= shares[member]) continue;
        if (best < 0 || held[member] / shares[member] < held[best] / shares[best]) best = member;
      }
      if (best >= 0) move(account, from, best);
    }
  }
}

/**
 * For each account the replica, not pinned, that fewest of its readers need, since they have none of its other members
 * open; accounts in the order in which giving that replica away harms least, the most followed first among equals, so
 * that a newcomer gets what is read. Needs covers that are up to date.
 */
function harmlessFirst(state: SearchState): { accounts: Uint32Array; members: Uint16Array } {
  const { accounts, width, sizes, lists, copies, fixed, words, open, weights } = state;
  const { followerStarts, followerReaders } = state;
  const harm = new Float64Array(accounts).fill(Number.POSITIVE_INFINITY);
  const giver = new Uint16Array(accounts);
  const needed = new Float64Array(state.k);
  for (let account = 0; account < accounts; account++) {
    if (fixed[account] >= copies || sizes[account] < copies || state.hashed[account] === 1) continue;
    const start = account * width;
    const end = start + sizes[account];
    for (let j = start; j < end; j++) needed[lists[j]] = 0;
    for (let i = followerStarts[account]; i < followerStarts[account + 1]; i++) {
      const reader = followerReaders[i];
      let only = -1;
      for (let j = start; j < end && only !== -2; j++) {
        const member = lists[j];
        if ((open[reader * words + (member >>> 5)] & (1 << (member & 31))) === 0) continue;
        only = only === -1 ? member : -2;
      }
      if (only >= 0) needed[only] += weights[reader];
    }
    // The master, the most senior, stays where there is a replica to give.
    for (let j = start + Math.max(fixed[account], Math.min(1, copies - 1)); j < start + copies; j++) {
      if (needed[lists[j]] >= harm[account]) continue;
      harm[account] = needed[lists[j]];
      giver[account] = lists[j];
    }
  }
  const order = Uint32Array.from(harm.keys()).filter((account) => harm[account] < Number.POSITIVE_INFINITY);
  order.sort((a, b) => harm[a] - harm[b] || state.popularity(b) - state.popularity(a) || a - b);
  return { accounts: order, members: Uint16Array.from(order, (account) => giver[account]) };
}

/**
 * Brings every member under its cap where that can be done by moving copies of the least-followed accounts to members
 * with room: the search places by popularity, so that the last accounts may find room only where they are already.
 * @param order accounts, most followed first
 */
export function repairCaps(state: SearchState, order: Uint32Array): void {
  const { k, held, limits, lists, width, fixed, sizes } = state;
  for (let from = 0; from < k; from++) {
    for (let i = order.length - 1; i >= 0 && held[from] > limits.caps[from]; i--) {
      const account = order[i];
      const start = account * width;
      for (let j = start + fixed[account]; j < start + sizes[account]; j++) {
        if (lists[j] !== from) continue;
        let best = -1;
        for (let to = 0; to < k; to++) {
          if (
            held[to] >= limits.caps[to] ||
            state.holds(account, to) ||
            !state.allows(account, to, j - start)
          )
            continue;
          if (best < 0 || held[to] * limits.caps[best] < held[best] * limits.caps[to]) best = to;
        }
        if (best < 0) break;
        lists[j] = best;
        held[from]--;
        held[best]++;
        break;
      }
    }
  }
}

/** The replica, not pinned, whose member is fullest against its due; −1 where there is none. */
function fullest(state: SearchState, account: number, shares: Float64Array): number {
  const { lists, width, fixed, copies, held } = state;
  let best = -1;
  // The master, the most senior, stays where there is a replica to move.
  const first = Math.max(fixed[account], Math.min(1, copies - 1));
  for (let j = account * width + first; j < account * width + copies; j++) {
    const member = lists[j];
    if (best < 0 || held[member] * shares[best] > held[best] * shares[member]) best = member;
  }
  return best;
}
