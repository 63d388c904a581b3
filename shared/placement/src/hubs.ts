import { byPopularity } from './search/by-popularity.ts';
import type { SearchState } from './search/state.ts';

/** Accounts that this share of all readers follow are hubs, in thousandths; at most one account in `hubsOneIn`. */
const hubShare = 20;
const hubsOneIn = 500;

/**
 * The policies that decide hubs by rule instead of by search: `together` puts them all on the same members (those that
 * declare most capacity), `spread` deals them over all members in turn. Their rows become fixed.
 * @param usable members, and `capacity` by member, for `together`
 * @returns the hubs
 */
export function fixHubs(
  state: SearchState,
  policy: 'together' | 'spread',
  usable: readonly number[],
  capacity: (member: number) => number,
): number[] {
  const limit = Math.max(1, Math.floor(state.accounts / hubsOneIn));
  const hubs: number[] = [];
  for (const account of byPopularity(state)) {
    if (hubs.length === limit || state.following(account) * 1000 < state.totalWeight * hubShare) break;
    if (state.popularity(account) > 0 && state.fixed[account] === 0) hubs.push(account);
  }
  const order = [...usable].sort((a, b) => capacity(b) - capacity(a) || a - b);
  hubs.forEach((hub, turn) => {
    const from = policy === 'spread' ? (turn * state.copies) % order.length : 0;
    const before = state.lists.slice(hub * state.width, hub * state.width + state.sizes[hub]);
    clear(state, hub);
    for (let i = 0; i < order.length && state.sizes[hub] < state.copies; i++) {
      const member = order[(from + i) % order.length];
      if (state.allows(hub, member, state.sizes[hub])) state.push(hub, member);
    }
    if (state.sizes[hub] === state.copies) {
      state.fixed[hub] = state.copies;
      return;
    }
    clear(state, hub);
    for (const member of before) state.push(hub, member);
  });
  return hubs.filter((hub) => state.fixed[hub] > 0);
}

function clear(state: SearchState, account: number): void {
  const start = account * state.width;
  for (let j = start; j < start + state.sizes[account]; j++) state.held[state.lists[j]]--;
  state.sizes[account] = 0;
}
