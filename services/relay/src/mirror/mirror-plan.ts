import { placementOf } from '@covey/enforcement';
import { isPrivateRelayUrl, type NostrEvent, normalizeRelayUrl, relayListEntries } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';
import type { ExternalAccount } from './external-lists.ts';

/** Write relays of one account that are read; NIP-65 asks for two to four. */
const RELAYS_MAX = 3;

/** Accounts to mirror by the relay to read them from. */
export interface MirrorPlan {
  accounts: Set<string>;
  byRelay: Map<string, string[]>;
}

/**
 * What this member mirrors: accounts that the table lists (somebody follows them), whose master it is, and whose own relay
 * list names no member. @param lists kind 10002 events stored here, one an author, in the order to take them
 * @param external accounts that the coordinator knows to be external; a list that is stored here, signed, comes before
 */
export async function mirrorPlan(
  table: PlacementTable,
  self: string,
  lists: Iterable<NostrEvent> | AsyncIterable<NostrEvent>,
  external: Iterable<ExternalAccount>,
  { accountsMax, allowPrivate }: { accountsMax: number; allowPrivate: boolean },
): Promise<MirrorPlan> {
  const plan: MirrorPlan = { accounts: new Set(), byRelay: new Map() };
  const own = table.memberIndex(self);
  if (own === undefined) return plan;
  const members = new Set(table.members.map(({ url }) => normalizeRelayUrl(url)));
  const listed = new Set<string>();
  const add = (pubkey: string, write: readonly string[]) => {
    if (plan.accounts.size >= accountsMax || !isMastered(table, own, pubkey)) return;
    const urls = write.filter((url) => allowPrivate || !isPrivateRelayUrl(url)).slice(0, RELAYS_MAX);
    if (urls.length === 0) return;
    plan.accounts.add(pubkey);
    for (const url of urls) {
      const accounts = plan.byRelay.get(url);
      if (accounts) accounts.push(pubkey);
      else plan.byRelay.set(url, [pubkey]);
    }
  };
  for await (const list of lists) {
    const entries = relayListEntries(list);
    listed.add(list.pubkey);
    if (entries.some(({ url }) => members.has(url))) continue; // it chose the cluster itself
    add(
      list.pubkey,
      entries.filter(({ write }) => write).map(({ url }) => url),
    );
  }
  for (const { pubkey, write } of external)
    if (!listed.has(pubkey) && !write.some((url) => members.has(url))) add(pubkey, write);
  return plan;
}

/** Whether the table lists the account and this member is its master. */
export function isMastered(table: PlacementTable, own: number, pubkey: string): boolean {
  return table.locate(pubkey).source !== 'slot' && placementOf(table, pubkey).writers[0] === own;
}
