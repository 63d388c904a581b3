import type { Filter, NostrEvent } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';
import { type FilterRoute, routeFilter } from './filter-route.ts';
import { type GroupRoute, routeOf } from './group-route.ts';
import { decodeKey } from './key-bytes.ts';
import { isPlacedByTagged, placingKeys } from './placing-keys.ts';

/** How a member answers a write for an account that lives elsewhere. */
export const WRITE_MODES = ['forward', 'redirect', 'observe'] as const;
export type WriteMode = (typeof WRITE_MODES)[number];

/** Members that one event may pass through. One that has made as many hops goes no further. */
export const HOPS_MAX = 3;

export type DecisionReason =
  | 'holder'
  | 'read copy'
  | 'no table'
  | 'observed'
  | 'elsewhere'
  | 'protected'
  | 'hop limit';

export interface Decision {
  /**
   * `accept`: store here, and copy to `holders`. `forward`: deliver to `holders`, store nothing.
   * `redirect`: name `holders` to the client, most senior first. `refuse`: nobody takes it from here.
   */
  action: 'accept' | 'forward' | 'redirect' | 'refuse';
  /** Indexes of members in the table, this one never among them. */
  holders: readonly number[];
  reason: DecisionReason;
}

/** Where an event comes from. */
export interface Origin {
  /** An authenticated member of this table sent it. */
  member: boolean;
  /** Members that it has passed through already: 0 from a client, at least 1 from a member. */
  hops: number;
  /** The client said that it understands redirects. */
  announced: boolean;
}

const NONE: readonly number[] = [];
const NO_TABLE: Decision = { action: 'accept', holders: NONE, reason: 'no table' };
const OBSERVED: Decision = { action: 'accept', holders: NONE, reason: 'observed' };
const PROTECTED: Decision = { action: 'refuse', holders: NONE, reason: 'protected' };
const HOP_LIMIT: Decision = { action: 'refuse', holders: NONE, reason: 'hop limit' };
const FROM_MEMBER: Decision = { action: 'accept', holders: NONE, reason: 'holder' };
const READ_COPY: Decision = { action: 'accept', holders: NONE, reason: 'read copy' };
const PROTECTED_HERE: Decision = { action: 'accept', holders: NONE, reason: 'protected' };

/** A group's route with the decisions that follow from it, so that a decision allocates nothing. */
interface Prepared extends GroupRoute {
  accept: Decision;
  acceptReadCopy: Decision;
  forward: Decision;
  redirect: Decision;
  redirectProtected: Decision;
}

/**
 * What one member does with events and filters under one table. Immutable: make a new one for every epoch.
 * It decides by the table alone; signatures, limits and who is authenticated are the caller's.
 */
export class Enforcer {
  readonly table: PlacementTable | undefined;
  readonly mode: WriteMode;
  readonly #self: number;
  readonly #groups: (Prepared | undefined)[] = [];
  readonly #moves = new Map<number, ReturnType<PlacementTable['moves']>[number]>();
  /** Equal lists of readers as one array, so that a filter's keys are grouped by identity. */
  readonly #readers = new Map<string, readonly number[]>();
  readonly #key = new Uint8Array(32);

  /** @param self public key (hex) of this member; it may be missing from the table, and then holds nothing */
  constructor(table: PlacementTable | undefined, self: string, mode: WriteMode = 'forward') {
    this.table = table;
    this.mode = mode;
    this.#self = table?.memberIndex(self) ?? -1;
    for (const move of table?.moves() ?? []) this.#moves.set(move.group, move);
  }

  /** Well over a million a second for events that are accepted; shared objects: do not change what is returned. */
  decide(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>, origin: Origin): Decision {
    const { table } = this;
    if (!table) return NO_TABLE;
    const route = isPlacedByTagged(event.kind) ? this.#taggedRoute(event) : this.#route(event.pubkey);
    if (isProtected(event)) {
      if (origin.member) return PROTECTED; // NIP-70: nobody publishes it on its author's behalf
      if (route.writes) return PROTECTED_HERE;
      return this.mode === 'observe' ? OBSERVED : route.redirectProtected;
    }
    if (origin.member) {
      if (route.holds) return route.writes ? FROM_MEMBER : READ_COPY; // its sender copies to the others
      return origin.hops < HOPS_MAX ? route.forward : HOP_LIMIT;
    }
    if (route.writes) return route.accept;
    if (this.mode === 'observe') return OBSERVED;
    if (this.mode === 'redirect' || origin.announced) return route.redirect;
    return route.holds ? route.acceptReadCopy : route.forward;
  }

  /** The other members that hold this event: where its copies belong, whoever received it. */
  othersOf(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): readonly number[] {
    if (!this.table) return NONE;
    return (isPlacedByTagged(event.kind) ? this.#taggedRoute(event) : this.#route(event.pubkey)).others;
  }

  /** Whether this member holds a copy of this event's group. Without a table it holds everything. */
  holds(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): boolean {
    if (!this.table) return true;
    return (isPlacedByTagged(event.kind) ? this.#taggedRoute(event) : this.#route(event.pubkey)).holds;
  }

  /** Which other members to ask for what a filter wants. */
  route(filter: Filter): FilterRoute {
    if (!this.table) return { asks: [], open: false };
    const route = routeFilter(filter, (key) => this.#route(key).readers);
    return this.table.members.length > 1 ? route : { ...route, open: false };
  }

  #route(pubkey: string): Prepared {
    const group = this.table!.groupOf(decodeKey(pubkey, this.#key));
    return (this.#groups[group] ??= this.#prepare(
      routeOf(this.table!.group(group), this.#moves.get(group), this.#self),
    ));
  }

  /** An event placed by several accounts is held by the members of all of them. */
  #taggedRoute(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): Prepared {
    const routes = placingKeys(event).map((key) => this.#route(key));
    if (routes.length === 1) return routes[0]!;
    const union = (lists: (readonly number[])[]) => [...new Set(lists.flat())];
    return this.#prepare({
      writes: routes.some((route) => route.writes),
      holds: routes.some((route) => route.holds),
      writers: union(routes.map((route) => route.writers)),
      others: union(routes.map((route) => route.others)),
      readers: NONE,
    });
  }

  #prepare(route: GroupRoute): Prepared {
    const key = route.readers.join();
    const readers = this.#readers.get(key) ?? route.readers;
    this.#readers.set(key, readers);
    const named = route.writers.filter((member) => member !== this.#self);
    return {
      ...route,
      readers,
      accept: { action: 'accept', holders: route.others, reason: 'holder' },
      acceptReadCopy: { action: 'accept', holders: route.others, reason: 'read copy' },
      forward: { action: 'forward', holders: route.others, reason: 'elsewhere' },
      redirect: { action: 'redirect', holders: named, reason: 'elsewhere' },
      redirectProtected: { action: 'redirect', holders: named, reason: 'protected' },
    };
  }
}

/** NIP-70. */
export function isProtected(event: Pick<NostrEvent, 'tags'>): boolean {
  for (const tag of event.tags) if (tag[0] === '-') return true;
  return false;
}
