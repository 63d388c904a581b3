import type { SearchState } from './state.ts';

/** A member below this share of its due, in thousandths, is filled; it is filled up to `filled`. */
const wanting = 650;
const filled = 970;

/**
 * After a change of members: gives copies to members that hold much less than their due (they joined), and takes copies
 * from members above their cap. Whole sets of copies move while that fits, so that groups stay groups; which copy gives
 * way is decided by who is fullest.
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

  for (let to = 0; to < k; to++) {
    if (limits.caps[to] === 0 || held[to] * 1000 >= shares[to] * wanting) continue;
    const goal = Math.min(limits.caps[to], Math.floor((shares[to] * filled) / 1000));
    for (const set of sets) {
      const room = goal - held[to];
      if (room <= 0) break;
      const from = fullest(state, set[0], shares);
      if (from < 0 || held[from] <= shares[from]) continue;
      const most = Math.min(room, set.length, Math.ceil(held[from] - shares[from]));
      for (let i = 0; i < most; i++) move(set[i], from, to);
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
