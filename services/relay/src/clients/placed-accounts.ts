import { type Enforcer, filterKeys } from '@covey/enforcement';
import type { Filter } from '@covey/nostr';
import { type ElsewhereKeys, PLACED_KEYS_MAX, type PlacedAccounts } from '@covey/protocol';

/** Keys of filters that live at other members, and whether nothing of the filters is answered here. */
export function elsewhereOf(
  enforcer: Enforcer,
  filters: readonly Filter[],
): { accounts: ElsewhereKeys[]; all: boolean } {
  const members = enforcer.table?.members ?? [];
  const accounts: ElsewhereKeys[] = [];
  let all = filters.length > 0;
  filters.forEach((filter, number) => {
    const { asks, open } = enforcer.route(filter);
    const { authors, tagged, hashtags } = filterKeys(filter);
    const away = asks.reduce((sum, ask) => sum + ask.keys.length, 0);
    if (open || away === 0 || away < authors.length + tagged.length + hashtags.length) all = false;
    for (const ask of asks) {
      const list = ask.by === 'authors' ? authors : ask.by === 'p' ? tagged : hashtags;
      const at = new Map(list.map((key, i) => [key, i]));
      accounts.push({
        filter: number,
        by: ask.by === 'authors' ? 'authors' : `#${ask.by}`,
        keys: ask.keys.map((key) => at.get(key)!),
        // None while no copy lives: that is said, and the dead are not named.
        relays: ask.candidates
          .filter((member) => !enforcer.isDead(member))
          .map((member) => members[member]!.url),
      });
    }
  });
  return { accounts, all };
}

/** The URLs of all of these, each once, those of most keys first. */
export function urlsOf(accounts: readonly ElsewhereKeys[]): string[] {
  const keys = new Map<string, number>();
  for (const { relays, keys: list } of accounts)
    for (const url of relays) keys.set(url, (keys.get(url) ?? 0) + list.length);
  return [...keys].sort((a, b) => b[1] - a[1]).map(([url]) => url);
}

/** The accounts that filters read by. */
export function accountsOf(filters: readonly Filter[]): string[] {
  return filters.flatMap((filter) => {
    const { authors, tagged } = filterKeys(filter);
    return [...authors, ...tagged.filter((key) => /^[0-9a-f]{64}$/.test(key))];
  });
}

/** Of these accounts those whose relays are others under `after` than under `before`, with the new ones. */
export function movedAccounts(
  before: Enforcer,
  after: Enforcer,
  pubkeys: Iterable<string>,
): PlacedAccounts[] {
  const placed = new PlacedGroups();
  for (const pubkey of pubkeys) {
    const now = urlsUnder(after, pubkey);
    const was = urlsUnder(before, pubkey);
    if (now && now.key !== was?.key) placed.add(now, pubkey);
  }
  return placed.groups;
}

/** Of these accounts those that `self` serves, with the relays that serve them beside it. */
export function accountsWithout(
  enforcer: Enforcer,
  self: string,
  pubkeys: Iterable<string>,
): PlacedAccounts[] {
  const placed = new PlacedGroups();
  for (const pubkey of pubkeys) {
    const now = urlsUnder(enforcer, pubkey, self);
    if (now && now.read.length > 0) placed.add(now, pubkey);
  }
  return placed.groups;
}

interface PlacedUrls {
  write: string[];
  read: string[];
  key: string;
}

function urlsUnder(enforcer: Enforcer, pubkey: string, without?: string): PlacedUrls | undefined {
  const placement = enforcer.placementOf(pubkey);
  const { table } = enforcer;
  if (!table || !placement) return undefined;
  const { writers, readers } = placement;
  const urls = (list: readonly number[]) =>
    list
      .filter((member) => table.members[member]!.id !== without)
      .map((member) => table.members[member]!.url);
  const write = urls(writers);
  const read = urls(readers);
  return { write, read, key: `${write} ${read}` };
}

/** Accounts by the relays that they share, no more than PLACED_KEYS_MAX in an entry. */
class PlacedGroups {
  readonly groups: PlacedAccounts[] = [];
  readonly #open = new Map<string, PlacedAccounts>();

  add({ write, read, key }: PlacedUrls, pubkey: string): void {
    let group = this.#open.get(key);
    if (!group || group.pubkeys.length >= PLACED_KEYS_MAX) {
      group = { pubkeys: [], write, read };
      this.#open.set(key, group);
      this.groups.push(group);
    }
    group.pubkeys.push(pubkey);
  }
}

/** Entries in parts of at most PLACED_KEYS_MAX accounts: one frame each. */
export function* inFrames(accounts: readonly PlacedAccounts[]): Generator<PlacedAccounts[]> {
  let part: PlacedAccounts[] = [];
  let keys = 0;
  for (const entry of accounts) {
    if (keys > 0 && keys + entry.pubkeys.length > PLACED_KEYS_MAX) {
      yield part;
      part = [];
      keys = 0;
    }
    part.push(entry);
    keys += entry.pubkeys.length;
  }
  if (part.length > 0) yield part;
}
