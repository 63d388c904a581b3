import { ALL_ALIVE, isAllAlive, type MemberVerdicts } from '@covey/liveness';
import { type Filter, hashtagKey, isHex64, KIND, type NostrEvent } from '@covey/nostr';
import type { PlacementTable, TableMove } from '@covey/table';
import { type DeliveryKeys, deliveryKeys, isDelivered } from './delivery.ts';
import { type FilterRoute, filterKeys, routeFilter } from './filter-route.ts';
import { type GroupRoute, listsOf, routeOf } from './group-route.ts';
import { decodeKey } from './key-bytes.ts';
import { Overlay } from './overlay.ts';
import { placementOf } from './placement-of.ts';
import { isPlacedByTagged, placingKeys } from './placing-keys.ts';

/** How a member answers a write for an account that lives elsewhere. */
export const WRITE_MODES = ['forward', 'redirect', 'observe'] as const;
export type WriteMode = (typeof WRITE_MODES)[number];

/** Members that one event may pass through. One that has made as many hops goes no further. */
export const HOPS_MAX = 3;

export type DecisionReason =
  | 'holder'
  | 'read copy'
  | 'delivered'
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
const DELIVERED: Decision = { action: 'accept', holders: NONE, reason: 'delivered' };
const PROTECTED_HERE: Decision = { action: 'accept', holders: NONE, reason: 'protected' };

/** Where an event goes besides the members that hold it. */
export interface Delivery {
  /** Indexes of members that hold an account or a hashtag that the event tags; neither this one nor holders among them. */
  members: readonly number[];
  /** Accounts and hashtags that were passed over because the event tags too many. */
  excess: number;
}

const NO_DELIVERY: Delivery = { members: NONE, excess: 0 };
/** Asks whether any group is being filled. */
const ANY_GROUP = -1;
/** Hashtags whose key is remembered. */
const HASHTAGS_MAX = 10_000;

/** A group that a member holds a copy of. */
export interface HeldGroup extends Pick<GroupRoute, 'others' | 'originals' | 'appointed'> {
  group: number;
}

/** A group's route with the decisions that follow from it, so that a decision allocates nothing. */
interface Prepared extends GroupRoute {
  /** Its number; −1 for a union of several. */
  group: number;
  /** From a member, while the group moves: its new holders get what old ones are brought, as who brings it may not know them. */
  passOn: Decision | undefined;
  accept: Decision;
  acceptReadCopy: Decision;
  acceptDelivered: Decision;
  forward: Decision;
  redirect: Decision;
  redirectProtected: Decision;
}

/**
 * What one member does with events and filters under one table while some members are dead. Immutable: make a new one for
 * every epoch and every verdict. It decides by these alone; signatures, limits and who is authenticated are the caller's.
 */
export class Enforcer {
  readonly table: PlacementTable | undefined;
  readonly mode: WriteMode;
  readonly verdicts: MemberVerdicts;
  readonly #overlay: Overlay | undefined;
  readonly #id: string;
  /** The same by the table alone: itself when nobody is named. Its routes hold for groups whose members all serve. */
  readonly #byTable: Enforcer;
  readonly #self: number;
  readonly #groups: (Prepared | undefined)[] = [];
  #held: HeldGroup[] | undefined;
  readonly #moves: ReadonlyMap<number, TableMove>;
  /** Equal lists of readers as one array, so that a filter's keys are grouped by identity. */
  readonly #readers: Map<string, readonly number[]>;
  readonly #key = new Uint8Array(32);
  /** Groups of hashtags seen lately. */
  readonly #hashtags = new Map<string, number>();
  readonly #filling: (group: number) => boolean;

  /**
   * @param self public key (hex) of this member; it may be missing from the table, and then holds nothing
   * @param filling whether this member is still filling its copy of a group, or of any for −1
   * @param verdicts who is dead, as failure detection says
   * @param byTable the one by the table alone, when there is one already: what follows from the table is not computed again
   */
  constructor(
    table: PlacementTable | undefined,
    self: string,
    mode: WriteMode = 'forward',
    filling: (group: number) => boolean = () => false,
    verdicts: MemberVerdicts = ALL_ALIVE,
    byTable?: Enforcer,
  ) {
    this.#filling = filling;
    this.table = table;
    this.mode = mode;
    this.verdicts = verdicts;
    this.#id = self;
    this.#overlay = table && Overlay.of(table, verdicts);
    this.#self = table?.memberIndex(self) ?? -1;
    this.#moves = byTable ? byTable.#moves : new Map(table?.moves().map((move) => [move.group, move]));
    this.#readers = byTable ? byTable.#readers : new Map();
    this.#byTable = isAllAlive(verdicts) ? this : (byTable ?? new Enforcer(table, self, mode, filling));
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
      // Its sender copies to the others.
      if (route.holds) return route.passOn ?? (route.writes ? FROM_MEMBER : READ_COPY);
      if (this.#isDeliveredHere(event)) return DELIVERED;
      if (origin.hops < HOPS_MAX) return route.forward;
      // It follows what it deletes to members that do not hold its author.
      return event.kind === KIND.deletion || event.kind === KIND.vanish ? DELIVERED : HOP_LIMIT;
    }
    if (route.writes) return route.accept;
    if (this.mode === 'observe') return OBSERVED;
    // Nobody is redirected to nobody: what all copies are dead for waits here.
    if ((this.mode === 'redirect' || origin.announced) && route.writers.length > 0) return route.redirect;
    if (route.holds) return route.acceptReadCopy;
    return this.#isDeliveredHere(event) ? route.acceptDelivered : route.forward;
  }

  /**
   * The other members that an event is delivered to though they do not hold it: those of the accounts and hashtags that it
   * tags, within bounds; all of them for a request to vanish, whose author's events may stand anywhere. It is for the
   * member that took the event from its client.
   */
  deliveries(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): Delivery {
    if (!this.table || isProtected(event)) return NO_DELIVERY;
    if (event.kind === KIND.vanish) {
      const { others } = this.#route(event.pubkey);
      const rest = this.table.members.map((_, i) => i).filter((i) => i !== this.#self && !others.includes(i));
      return { members: rest, excess: 0 };
    }
    if (event.tags.length === 0 || !isDelivered(event.kind)) return NO_DELIVERY;
    const keys = deliveryKeys(event);
    const members = new Set<number>();
    for (const route of this.#deliveryRoutes(keys)) for (const member of route.others) members.add(member);
    for (const member of this.#route(event.pubkey).others) members.delete(member);
    return members.size === 0 && keys.excess === 0
      ? NO_DELIVERY
      : { members: [...members], excess: keys.excess };
  }

  /** Every other member that an event belongs to: those that hold it, then those that it is delivered to. */
  placesOf(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): readonly number[] {
    const { members } = this.deliveries(event);
    return members.length > 0 ? [...this.othersOf(event), ...members] : this.othersOf(event);
  }

  /** Whether this event belongs here: its group is held here, or that of an account or hashtag that it tags. */
  keeps(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): boolean {
    return this.holds(event) || this.#isDeliveredHere(event);
  }

  /** Whether this event belongs to both this member and member number `other`: what the two repair between them. */
  shares(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>, other: number): boolean {
    if (!this.table || isProtected(event)) return false;
    const route = isPlacedByTagged(event.kind) ? this.#taggedRoute(event) : this.#route(event.pubkey);
    const here = route.holds || this.#isDeliveredHere(event);
    return here && (route.others.includes(other) || this.deliveries(event).members.includes(other));
  }

  #isDeliveredHere(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): boolean {
    if (event.tags.length === 0 || !isDelivered(event.kind)) return false;
    for (const route of this.#deliveryRoutes(deliveryKeys(event))) if (route.holds) return true;
    return false;
  }

  *#deliveryRoutes({ accounts, hashtags }: DeliveryKeys): Generator<Prepared> {
    for (const account of accounts) yield this.#route(account);
    for (const hashtag of hashtags) yield this.#hashtagRoute(hashtag);
  }

  #hashtagRoute(hashtag: string): Prepared {
    let group = this.#hashtags.get(hashtag);
    if (group === undefined) {
      if (this.#hashtags.size >= HASHTAGS_MAX) this.#hashtags.clear();
      group = this.table!.groupOf(hashtagKey(hashtag));
      this.#hashtags.set(hashtag, group);
    }
    return this.#groupRoute(group);
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

  /**
   * Groups that this member holds a copy of, with the other members that do. `appointed`: in place of a dead one, so that
   * what the group has is at `originals`. Walks over all groups once.
   */
  held(): readonly HeldGroup[] {
    this.#held ??= this.#listHeld();
    return this.#held;
  }

  #listHeld(): HeldGroup[] {
    const held = [];
    for (let group = 0; group < (this.table?.groupCount ?? 0); group++) {
      if (!this.#mayHold(group)) continue;
      const { holds, others, originals, appointed } = this.#groupRoute(group);
      if (holds) held.push({ group, others, originals, appointed });
    }
    return held;
  }

  /** Whether it is worth the route of a group to know whether it is held here: of most groups it is not. */
  #mayHold(group: number): boolean {
    const list = this.table!.group(group);
    const move = this.#moves.get(group);
    if (list.members.includes(this.#self) || move?.from.members.includes(this.#self)) return true;
    if (!this.#overlay) return false;
    const { current, other } = listsOf(list, move);
    return this.#overlay.missing(current, other) > 0;
  }

  /** The same member by the table alone, as if nobody were dead. */
  get byTable(): Enforcer {
    return this.#byTable;
  }

  /** The same member and table under other verdicts: what these do not change is not computed again. */
  under(verdicts: MemberVerdicts): Enforcer {
    if (isAllAlive(verdicts)) return this.#byTable;
    return new Enforcer(this.table, this.#id, this.mode, this.#filling, verdicts, this.#byTable);
  }

  /** Whether another member is dead, as far as is known here. */
  isDead(member: number): boolean {
    return this.#overlay?.isDead(member) === true;
  }

  /**
   * Groups that this member is the acting master of, in place of the table's, which is dead or catches up; those that it holds as one appointed; and
   * those that no copy lives of. Walks over all groups.
   */
  failover(): { acting: number; appointed: number; unavailable: number } {
    const counts = { acting: 0, appointed: 0, unavailable: 0 };
    if (!this.table || !this.#overlay) return counts;
    const held = new Set(this.held().map(({ group }) => group));
    for (let group = 0; group < this.table.groupCount; group++) {
      if (!held.has(group) && this.#overlay.lives(this.table.group(group).members)) continue;
      const { writers, appointed, available } = this.#groupRoute(group);
      const master = listsOf(this.table.group(group), this.#moves.get(group)).current.members[0]!;
      if (writers[0] === this.#self && master !== this.#self) counts.acting++;
      if (appointed) counts.appointed++;
      if (!available) counts.unavailable++;
    }
    return counts;
  }

  /** Where clients write and read an account now; undefined without a table, both empty while no copy lives. */
  placementOf(pubkey: string): { writers: readonly number[]; readers: readonly number[] } | undefined {
    return this.table && placementOf(this.table, pubkey, this.#overlay);
  }

  /** Members that take writes for an account in the list that is read now, this one among them or not. */
  writersOf(pubkey: string): readonly number[] {
    return this.table ? this.#route(pubkey).writers : NONE;
  }

  /** Where the copies of a group are beside that of this member. */
  copiesOf(group: number): Pick<GroupRoute, 'holds' | 'others' | 'originals' | 'appointed'> {
    return this.table && group < this.table.groupCount
      ? this.#groupRoute(group)
      : { holds: false, others: NONE, originals: NONE, appointed: false };
  }

  /** The other members that hold a group. */
  othersOfGroup(group: number): readonly number[] {
    return this.table && group < this.table.groupCount ? this.#groupRoute(group).others : NONE;
  }

  /** Whether what a filter names is not held here, or belongs to a group that is being filled; without a key, anything may. */
  fills(filter: Filter): boolean {
    if (!this.table) return false;
    const { authors, tagged, hashtags } = filterKeys(filter);
    const routes = [
      ...[...authors, ...tagged].filter(isHex64).map((key) => this.#route(key)),
      ...hashtags.map((hashtag) => this.#hashtagRoute(hashtag.toLowerCase())),
    ];
    if (routes.length > 0) return routes.some(({ group, holds }) => !holds || this.#filling(group));
    return this.#filling(ANY_GROUP);
  }

  /** Index of this member in the table; −1 when it is not in it. */
  get self(): number {
    return this.#self;
  }

  /** Number of the group of a key (64 hex digits); −1 without a table. */
  groupOf(key: string): number {
    return this.table ? this.#route(key).group : -1;
  }

  /** Which other members to ask for what a filter wants. */
  route(filter: Filter): FilterRoute {
    if (!this.table) return { asks: [], open: false };
    const route = routeFilter(
      filter,
      (key) => this.#readersOf(this.#route(key)),
      (hashtag) => this.#readersOf(this.#hashtagRoute(hashtag)),
    );
    return this.table.members.length > 1 ? route : { ...route, open: false };
  }

  #route(pubkey: string): Prepared {
    return this.#groupRoute(this.table!.groupOf(decodeKey(pubkey, this.#key)));
  }

  /** While this member fills a group, what it has is not all: the others are asked as well. */
  #readersOf(route: Prepared): readonly number[] {
    return route.readers.length === 0 && this.#filling(route.group) ? route.sources : route.readers;
  }

  #groupRoute(group: number): Prepared {
    return (this.#groups[group] ??= this.#routeNow(group));
  }

  #routeNow(group: number): Prepared {
    const table = this.table!;
    const overlay = this.#overlay;
    const move = this.#moves.get(group);
    if (overlay && !move) {
      const byTable = this.#byTable.#groupRoute(group);
      const holdersServe = overlay.allServe(byTable.others) && (!byTable.holds || overlay.serves(this.#self));
      if (holdersServe) return byTable;
    }
    return this.#prepare(routeOf(table.group(group), move, this.#self, group, overlay), group);
  }

  /** Whether this event's group has just left this member by all phases of a move: its new holders are full. */
  leaves(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): boolean {
    const move = this.#moves.get(this.groupOf(event.pubkey));
    return move?.phase === 'clean-up' && move.from.members.includes(this.#self) && !this.holds(event);
  }

  /** What a holder of the old list does with what a member brings it while writes go to both lists. */
  #passOn(group: number): Decision | undefined {
    const move = this.#moves.get(group);
    if (!move || move.phase === 'clean-up' || !move.from.members.includes(this.#self)) return undefined;
    const added = this.table!.group(group).members.filter((member) => !move.from.members.includes(member));
    return added.length > 0 ? { action: 'accept', holders: added, reason: 'holder' } : undefined;
  }

  /** An event placed by several accounts is held by the members of all of them. */
  #taggedRoute(event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>): Prepared {
    const routes = placingKeys(event).map((key) => this.#route(key));
    if (routes.length === 1) return routes[0]!;
    const union = (lists: (readonly number[])[]) => [...new Set(lists.flat())];
    return this.#prepare({
      writes: routes.some((route) => route.writes),
      holds: routes.some((route) => route.holds),
      appointed: routes.some((route) => route.appointed),
      writers: union(routes.map((route) => route.writers)),
      others: union(routes.map((route) => route.others)),
      originals: NONE,
      readers: NONE,
      sources: NONE,
      available: routes.some((route) => route.available),
    });
  }

  #prepare(route: GroupRoute, group = -1): Prepared {
    const key = route.readers.join();
    const readers = this.#readers.get(key) ?? route.readers;
    this.#readers.set(key, readers);
    const sourcesKey = route.sources.join();
    const sources = this.#readers.get(sourcesKey) ?? route.sources;
    this.#readers.set(sourcesKey, sources);
    const named = route.writers.filter((member) => member !== this.#self);
    return {
      ...route,
      group,
      sources,
      readers,
      passOn: this.#passOn(group),
      accept: { action: 'accept', holders: route.others, reason: 'holder' },
      acceptDelivered: { action: 'accept', holders: route.others, reason: 'delivered' },
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
