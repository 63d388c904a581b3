import type { SearchState } from './state.ts';

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
