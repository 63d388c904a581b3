import type { Filter, NegentropyItem, NostrEvent } from '@covey/nostr';
import type { Range } from './plan.ts';
import type { RetentionRule } from './retention.ts';

/** An event as it is served: its JSON is sent as it stands. */
export interface StoredEvent {
  id: string;
  createdAt: number;
  /** `kind:pubkey:d` for replaceable and addressable events: of one address only the newest counts. */
  address: string | undefined;
  json: string;
}

/** Copies to send to other members, noted in the same transaction as the event itself. */
export interface Spooling {
  /** Members that the event will have passed through when it arrives. */
  hops: number;
  /** Member ids. */
  destinations: readonly string[];
}

export interface WriteRequest {
  event: NostrEvent;
  /** False for an event of an account that lives elsewhere: it only passes through the spool. */
  keep: boolean;
  /** The event was taken without knowing where its account lives: `takeUnplaced` hands it out once. */
  unplaced?: boolean;
  /** It is here for an account or hashtag that it tags: who holds its author has it too. */
  delivered?: boolean;
  spool?: Spooling;
  /** The event is a request to vanish (NIP-62) aimed at this relay. */
  vanish?: boolean;
}

/**
 * `stored`, `spooled`: new here. `duplicate`: already here or on its way. `superseded`: a newer version is here.
 * `deleted`: its author deleted it. `full`: no destination has room in the spool, so nothing was written.
 */
export type WriteOutcome = 'stored' | 'spooled' | 'duplicate' | 'superseded' | 'deleted' | 'full';

export interface WriteResult {
  outcome: WriteOutcome;
  /** Destinations that got no copy because their part of the spool is full. */
  dropped: readonly string[];
}

export interface QueryOptions {
  /** Most events returned, whatever the filter's own limit. */
  limitMax: number;
  /** Most bytes of JSON returned. */
  bytesMax: number;
  /** Unix seconds: events that expired by then are not returned. */
  now: number;
  /** Whether who asks may read an event that only some may read; everything when not given. */
  mayRead?: ((json: string) => boolean) | undefined;
}

/** How many events fit. */
export interface CountResult {
  count: number;
  /** False: there are more than were counted. */
  exact: boolean;
}

export interface QueryResult {
  /** Newest first, then lowest id. */
  events: StoredEvent[];
  /** Nothing more that matches is stored. */
  complete: boolean;
}

/** An embedded engine has its answer at hand; a server's comes later. Whoever asks awaits. */
export type Awaitable<T> = T | Promise<T>;

/** What `itemsMatching` and `count` ask with. */
export type Asking = Pick<QueryOptions, 'now' | 'mayRead'>;

export interface CountOptions extends Asking {
  /** Events looked at, at most. */
  rowsMax: number;
  /** Shown every event that counts, some of them twice. */
  each?: (event: StoredEvent) => void;
}

/** What a member needs of a store for its events. Embedded (`sqlite/`), or in a PostgreSQL of the operator's (`postgres/`). */
export interface EventStore {
  /** Applies NIP-01's, NIP-09's and NIP-40's rules. Settles when the write would survive a power failure. */
  write(request: WriteRequest): Promise<WriteResult>;
  /** Whether the event with this id is stored, with this signature. */
  has(id: string, sig: string): Awaitable<boolean>;
  query(filter: Filter, options: QueryOptions): Awaitable<QueryResult>;
  /** How many different events fit any of the filters, whatever their limits; looks at `rowsMax` of them at most. */
  count(filters: readonly Filter[], options: CountOptions): Promise<CountResult>;
  /** Id and time of all events that fit, read a slice at a time; undefined when there are more than `itemsMax`. */
  itemsMatching(
    filter: Filter,
    options: Asking & { itemsMax: number },
  ): Promise<NegentropyItem[] | undefined>;
  /** Removes what accounts that vanished left, a batch at a time; how many went. */
  removeVanished(): Promise<number>;
  /** Removes what expired before `now` (Unix seconds), a batch at a time; how many went. */
  removeExpired(now: number): Promise<number>;
  /** Removes what the rules do not keep, a batch at a time; how many went. */
  removeUnretained(rules: readonly RetentionRule[], now: number): Promise<number>;
  /** Removes events that others have. Not as a deletion: they may come back. @returns how many were here */
  removeIds(ids: readonly string[]): Promise<number>;
  /**
   * Up to `count` events that were taken while no table was known. `place` decides where copies of each belong; the mark
   * goes and the copies are spooled in one transaction.
   * @returns how many were handled; 0 when none are left, or the spool has no room now
   */
  placeUnplaced(count: number, place: (event: NostrEvent) => readonly string[]): Promise<number>;
  /** The authors of stored events, ascending, from the first after `after`. */
  authors(after: string, count: number): Awaitable<string[]>;
  /** All events of a range that are here for their own sake, newest first, read page by page as they are taken. */
  eventsIn(range: Range): Iterable<NostrEvent> | AsyncIterable<NostrEvent>;
  /** Where a key (an author, or an event id) was handed over to last, and when (Unix milliseconds). */
  handedOver(key: string): Awaitable<HandedOver | undefined>;
  /** Spools copies of events that are stored here; remembers, or with '' forgets, where `key` was handed over to. */
  handOver(
    events: readonly NostrEvent[],
    destinations: readonly string[],
    mark?: { key: string; destinations: string },
  ): Promise<void>;
  readonly events: number;
  readonly bytes: number;
}

export interface HandedOver {
  destinations: string;
  atMs: number;
}
