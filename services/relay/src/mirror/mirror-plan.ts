import { placementOf } from '@covey/enforcement';
import { isPrivateRelayUrl, type NostrEvent, normalizeRelayUrl, relayListEntries } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';

/** Write relays of one account that are read; NIP-65 asks for two to four. */
const RELAYS_MAX = 3;

/** Accounts to mirror by the relay to read them from. */
export interface MirrorPlan {
  accounts: Set<string>;
  byRelay: Map<string, string[]>;
}

/**
 * What this member mirrors: accounts that the table lists (somebody follows them), whose master it is, and whose own relay
 * list, stored here, names no member. @param lists kind 10002 events, one an author, in the order to take them
 */
export async function mirrorPlan(
  table: PlacementTable,
  self: string,
  lists: Iterable<NostrEvent> | AsyncIterable<NostrEvent>,
  { accountsMax, allowPrivate }: { accountsMax: number; allowPrivate: boolean },
): Promise<MirrorPlan> {
  const plan: MirrorPlan = { accounts: new Set(), byRelay: new Map() };
  const own = table.memberIndex(self);
  if (own === undefined) return plan;
  const members = new Set(table.members.map(({ url }) => normalizeRelayUrl(url)));
  for await (const list of lists) {
    if (plan.accounts.size >= accountsMax) break;
    if (table.locate(list.pubkey).source === 'slot') continue;
    if (placementOf(table, list.pubkey).writers[0] !== own) continue;
    const entries = relayListEntries(list);
    if (entries.some(({ url }) => members.has(url))) continue; // it chose the cluster itself
    const urls = entries
      .filter(({ url, write }) => write && (allowPrivate || !isPrivateRelayUrl(url)))
      .slice(0, RELAYS_MAX)
      .map(({ url }) => url);
    if (urls.length === 0) continue;
    plan.accounts.add(list.pubkey);
    for (const url of urls) {
      const accounts = plan.byRelay.get(url);
      if (accounts) accounts.push(list.pubkey);
      else plan.byRelay.set(url, [list.pubkey]);
    }
  }
  return plan;
}
