import type { LoadedRelayList } from '@covey/postgres';
import type { TableMember } from '@covey/table';

/**
 * Accounts whose own relay list (NIP-65) names members to write to: account number → member indexes in the list's order,
 * the first of them its master. Lists that name no member pin nobody: those accounts are external.
 */
export function pinsOf(
  lists: readonly LoadedRelayList[],
  members: readonly TableMember[],
): Map<number, readonly number[]> {
  const byUrl = new Map(members.map(({ url }, i) => [url, i]));
  const pins = new Map<number, readonly number[]>();
  for (const { account, entries } of lists) {
    const named = entries.filter(({ write }) => write).flatMap(({ url }) => byUrl.get(url) ?? []);
    if (named.length > 0) pins.set(account, [...new Set(named)]);
  }
  return pins;
}
