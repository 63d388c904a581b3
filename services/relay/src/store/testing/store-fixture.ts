import type { Filter, NostrEvent } from '@covey/nostr';
import type { EventStore } from '../event-store.ts';
import type { MemberStore } from '../member-store.ts';
import type { SpoolBounds } from '../spool-book.ts';

/** A kind of store, as the suites of this folder try it. */
export interface StoreFixture {
  /** Opens the store of this name: an empty one at first, the same one after it was closed. */
  open(name: string, spool?: SpoolBounds): Promise<OpenStore>;
}

export interface OpenStore {
  member: MemberStore;
  store: EventStore;
  spool: MemberStore['spool'];
  /** Rows of one of its tables. */
  rows(table: 'tags' | 'spool'): Promise<number>;
  close(): Promise<void>;
}

/** The clock of stores under test, Unix milliseconds. */
export const CLOCK_MS = 1_000_000;
export const SPOOL: SpoolBounds = { perMemberMax: 100, bytesMax: 100_000 };
export const WRITES_WAITING_MAX = 8000;

export const hex = (n: number, digit = 'a') => n.toString(16).padStart(64, digit);
let ids = 0;

/** The store trusts what was admitted before: ids and signatures need not be real. */
export function event(fields: Partial<NostrEvent> = {}): NostrEvent {
  const { id = hex(++ids, '0'), pubkey = hex(1), created_at = 1000, kind = 1 } = fields;
  const { tags = [], content = '', sig = 'f'.repeat(128) } = fields;
  return { id, pubkey, created_at, kind, tags, content, sig };
}

export const keep = (e: NostrEvent) => ({ event: e, keep: true });
export const QUERY = { limitMax: 500, bytesMax: 1e8, now: 2000 };

export async function found(store: EventStore, filter: Partial<Filter> = {}): Promise<NostrEvent[]> {
  const { events } = await store.query({ tags: {}, ...filter }, QUERY);
  return events.map(({ json }) => JSON.parse(json));
}

export const contents = async (store: EventStore, filter: Partial<Filter> = {}): Promise<string[]> =>
  (await found(store, filter)).map(({ content }) => content);

let stores = 0;
/** A name that no other store under test has. */
export const storeName = (): string => `store${process.pid}_${stores++}`;
