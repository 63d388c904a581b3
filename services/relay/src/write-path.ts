import {
  type Decision,
  type Delivery,
  type Enforcer,
  HOPS_MAX,
  isPlacedByTagged,
  isProtected,
} from '@covey/enforcement';
import { isEphemeral, isHex64, KIND, type NostrEvent, type Verdict } from '@covey/nostr';
import { redirectMessage } from '@covey/protocol';
import { admitEvent, RefusedEventError } from './admission.ts';
import { claimedId } from './frames.ts';
import type { Limits } from './limits.ts';
import type { LiveIndex } from './live-index.ts';
import type { Confirmations } from './members/confirmations.ts';
import type { ForwardedEvents } from './members/forwarded-events.ts';
import type { MemberLinks } from './members/member-links.ts';
import type { RecentArrivals } from './members/recent-arrivals.ts';
import type { RelayMetrics } from './metrics.ts';
import type { EventStore, Spooling, WriteRequest, WriteResult } from './store/event-store.ts';
import { StoreBusyError } from './store/store-errors.ts';
import { namesNoRelay, vanishesHere } from './vanish.ts';
import { VerifyBusyError } from './verify/verify-pool.ts';

/** Ephemeral events on their way to other members; further ones are dropped, as nothing promises them. */
const EPHEMERAL_IN_FLIGHT_MAX = 1000;

/** Longest time that a client waits for a second copy before it is told that there is one alone. */
const SECOND_COPY_MS_MAX = 2000;
/** Longest time that a client waits for a holder to confirm what is in the spool here. */
const HOLDER_MS_MAX = 1000;

/** Events that one deletion follows to where they were delivered. */
const DELETED_IDS_MAX = 1000;
/** An older version of a replaceable event: a client is told that it changed nothing, a member that it needs no other copy. */
const SUPERSEDED = 'duplicate: a newer version is stored here';
const NO_DELIVERY: Delivery = { members: [], excess: 0 };

/** Who sends an event. */
export interface Source {
  /** Set when the connection is authenticated as another member of the current table. */
  member: string | undefined;
  /** Members that the event passed through, as a member says. */
  hops: number | undefined;
  announced: boolean;
  authenticated: ReadonlySet<string>;
}

/** A decision, and by what: when its event is durable, another table may be the current one. */
interface Decided extends Decision {
  decidedBy: Enforcer;
}

/** What OK says. Without an id nothing can be said but a NOTICE. */
export interface PublishAnswer {
  id: string | undefined;
  accepted: boolean;
  message: string;
}

export interface WritePathOptions {
  store: EventStore;
  live: LiveIndex;
  links: MemberLinks;
  forwarded: ForwardedEvents;
  confirmations: Confirmations;
  arrivals: RecentArrivals;
  enforcer: () => Enforcer;
  /** An event was stored or spooled as an earlier table said: what moves was rearranged without it. */
  onOvertaken: () => void;
  verify: (event: NostrEvent) => Promise<Verdict>;
  powBitsMin: number;
  /** The URL that clients open. */
  relayUrl: () => string;
  metrics: RelayMetrics;
  limits: Limits;
  /** Unix milliseconds. */
  clock: () => number;
  log: { error(fields: object, text: string): void };
}

/** What becomes of an event: check it, decide by the table, make it durable, tell those who listen, then say OK. */
export class WritePath {
  readonly #options: WritePathOptions;
  #ephemeralInFlight = 0;

  constructor(options: WritePathOptions) {
    this.#options = options;
  }

  async publish(value: unknown, source: Source): Promise<PublishAnswer> {
    const id = claimedId(value);
    const from = source.member ? 'member' : 'client';
    const answer = (accepted: boolean, message: string, outcome: string): PublishAnswer => {
      this.#options.metrics.events.inc({ from, outcome });
      return { id, accepted, message };
    };
    try {
      const { clock, limits, store } = this.#options;
      const event = await admitEvent(value, {
        limits,
        now: Math.floor(clock() / 1000),
        fromMember: source.member !== undefined,
        isStored: (eventId, sig) => store.has(eventId, sig),
        verify: this.#options.verify,
        powBitsMin: this.#options.powBitsMin,
      });
      if (namesNoRelay(event))
        throw new RefusedEventError(
          'invalid: a request to vanish names relays, or ALL_RELAYS, in relay tags',
        );
      if (isProtected(event) && !source.authenticated.has(event.pubkey))
        return answer(
          false,
          'auth-required: only its author, authenticated, may publish a protected event',
          'auth-required',
        );
      const hops = source.member ? Math.max(1, source.hops ?? 1) : 0;
      const decidedBy = this.#options.enforcer();
      const decision = decidedBy.decide(event, {
        member: source.member !== undefined,
        hops,
        announced: source.announced,
      });
      const { accepted, message, outcome } = await this.#carryOut(
        event,
        { ...decision, decidedBy },
        hops,
        source,
      );
      if (event.kind === KIND.vanish) this.#afterVanish(event);
      if (accepted) this.#options.metrics.accepted++;
      return answer(accepted, message, outcome);
    } catch (error) {
      if (error instanceof RefusedEventError) return answer(false, error.message, 'invalid');
      if (error instanceof StoreBusyError || error instanceof VerifyBusyError)
        return answer(false, 'rate-limited: this relay is writing as fast as it can; try again', 'busy');
      this.#options.log.error({ event: id, error: String(error) }, 'an event could not be stored');
      return answer(false, 'error: this relay could not store the event', 'error');
    }
  }

  async #carryOut(
    event: NostrEvent,
    decision: Decided,
    hops: number,
    source: Source,
  ): Promise<{ accepted: boolean; message: string; outcome: string }> {
    switch (decision.action) {
      case 'accept':
        return await this.#keep(event, decision, hops, source.member);
      case 'forward':
        return await this.#forward(event, decision, hops);
      case 'redirect':
        // What of the account is here nevertheless goes, wherever it lives.
        if (vanishesHere(event, this.#options.relayUrl()))
          await this.#options.store.write({ event, keep: false, vanish: true });
        return { accepted: false, message: this.#redirect(decision, source), outcome: 'redirected' };
      case 'refuse':
        return decision.reason === 'protected'
          ? {
              accepted: false,
              message: 'restricted: a protected event is taken from its author alone',
              outcome: 'refused',
            }
          : {
              accepted: false,
              message: 'error: it passed through too many members and its account is not held here',
              outcome: 'hop limit',
            };
    }
  }

  /** What a request to vanish left for later: events in memory, and the rest of those on the disk. */
  #afterVanish(request: NostrEvent): void {
    const { forwarded, log, relayUrl, store } = this.#options;
    if (!vanishesHere(request, relayUrl())) return;
    forwarded.vanish(request.pubkey, request.created_at);
    const removeAll = async () => {
      while ((await store.removeVanished()) > 0);
    };
    removeAll().catch((error) =>
      log.error({ error: String(error) }, 'events of an account that vanished wait for the next sweep'),
    );
  }

  async #keep(event: NostrEvent, decision: Decided, hops: number, member?: string) {
    const { live, metrics, relayUrl } = this.#options;
    if (decision.reason === 'observed') metrics.observed.inc();
    const delivery = await this.#delivery(event, decision, hops);
    if (isEphemeral(event.kind)) {
      live.publish(event, JSON.stringify(event));
      this.#passOn(event, [...decision.holders, ...delivery.members], hops);
      return { accepted: true, message: '', outcome: 'ephemeral' };
    }
    const { outcome, dropped } = await this.#write(decision, {
      event,
      keep: true,
      vanish: vanishesHere(event, relayUrl()),
      unplaced: decision.reason === 'no table',
      delivered: decision.reason === 'delivered',
      spool: this.#spooling(event, decision, delivery, hops),
    });
    if (dropped.length > 0) metrics.copiesDropped.inc(dropped.length);
    switch (outcome) {
      case 'stored':
        if (member !== undefined) this.#options.arrivals.add(member, event);
        live.publish(event, JSON.stringify(event));
        return {
          accepted: true,
          message: hops > 0 ? '' : join(await this.#secondCopy(event, decision, dropped), over(delivery)),
          outcome,
        };
      case 'superseded':
        return { accepted: hops > 0, message: SUPERSEDED, outcome };
      case 'deleted':
        return { accepted: false, message: 'blocked: its author has deleted this event', outcome };
      default:
        return { accepted: true, message: 'duplicate: already have this event', outcome: 'duplicate' };
    }
  }

  /** Says at once, and not when a client has its answer, that what was decided is not what is current. */
  async #write({ decidedBy }: Decided, request: WriteRequest): Promise<WriteResult> {
    const { enforcer, onOvertaken, store } = this.#options;
    const result = await store.write(request);
    if (enforcer().table !== decidedBy.table) onOvertaken();
    return result;
  }

  async #forward(event: NostrEvent, decision: Decided, hops: number) {
    const { forwarded, live, metrics } = this.#options;
    const to = this.#urls(decision.holders).join(' ');
    const delivery = await this.#delivery(event, decision, hops);
    if (isEphemeral(event.kind)) {
      live.publish(event, JSON.stringify(event));
      this.#passOn(event, [...decision.holders, ...delivery.members], hops);
      return { accepted: true, message: `forwarding to ${to}`, outcome: 'ephemeral' };
    }
    if (hops === 0 && forwarded.has(event.id))
      return { accepted: true, message: `duplicate: already forwarding to ${to}`, outcome: 'duplicate' };
    const { outcome, dropped } = await this.#write(decision, {
      event,
      keep: false,
      vanish: vanishesHere(event, this.#options.relayUrl()),
      spool: this.#spooling(event, decision, delivery, hops),
    });
    if (outcome === 'full')
      return {
        accepted: false,
        message: `error: too many events wait for the relays that hold this account; try them yourself: ${to}`,
        outcome: 'spool full',
      };
    if (dropped.length > 0) metrics.copiesDropped.inc(dropped.length);
    if (outcome === 'spooled' && hops === 0) {
      // Who wrote it here reads it here, and so do those who listen here.
      forwarded.add(event);
      live.publish(event, JSON.stringify(event));
    }
    if (outcome === 'duplicate')
      return { accepted: true, message: `duplicate: already forwarding to ${to}`, outcome: 'duplicate' };
    const first = hops > 0 ? undefined : await this.#firstCopy(event, decision, dropped);
    if (first?.refusal) {
      forwarded.remove(event.id);
      return { accepted: false, message: first.refusal, outcome: 'refused by its holder' };
    }
    return {
      accepted: true,
      message: join(`forwarding to ${to}`, first?.doubt ?? '', over(delivery)),
      outcome: 'forwarded',
    };
  }

  /** Where else an event goes that came from a client; and a deletion, whoever sent it, to where its targets went. */
  async #delivery(event: NostrEvent, decision: Decision, hops: number): Promise<Delivery> {
    const { enforcer, metrics } = this.#options;
    if (decision.reason === 'observed' || decision.reason === 'no table') return NO_DELIVERY;
    if (event.kind === KIND.deletion && decision.action === 'accept')
      return await this.#deletionDelivery(event);
    if (hops > 0) return NO_DELIVERY;
    const delivery = enforcer().deliveries(event);
    if (delivery.excess > 0) metrics.deliveryExcess.inc(delivery.excess);
    return delivery;
  }

  /** Its holders alone know whom the deleted events were delivered to. */
  async #deletionDelivery(deletion: NostrEvent): Promise<Delivery> {
    const { enforcer, store, clock } = this.#options;
    const ids = deletion.tags.filter(([name, id]) => name === 'e' && isHex64(id)).map(([, id]) => id!);
    const found = await store.query(
      { ids: ids.slice(0, DELETED_IDS_MAX), authors: [deletion.pubkey], tags: {} },
      { limitMax: DELETED_IDS_MAX, bytesMax: Number.MAX_SAFE_INTEGER, now: Math.floor(clock() / 1000) },
    );
    const members = new Set<number>();
    for (const { json } of found.events)
      for (const member of enforcer().deliveries(JSON.parse(json)).members) members.add(member);
    return { members: [...members], excess: 0 };
  }

  /** The copies of an event. What erases others goes no further than it is sent, and is kept where it arrives. */
  #spooling(event: NostrEvent, decision: Decision, delivery: Delivery, hops: number): Spooling {
    const erases = event.kind === KIND.deletion || event.kind === KIND.vanish;
    return {
      hops: erases && delivery.members.length > 0 ? HOPS_MAX : hops + 1,
      destinations: this.#ids([...decision.holders, ...delivery.members]),
    };
  }

  /** Waits for one other holder; what OK says when none confirmed. */
  async #secondCopy(event: NostrEvent, decision: Decision, dropped: readonly string[]): Promise<string> {
    const { confirmations, metrics } = this.#options;
    if (decision.holders.length === 0) return ''; // placed on this member alone
    const holders = this.#witnesses(event, decision, dropped);
    const { confirmed } = await confirmations.wait(event.id, holders, SECOND_COPY_MS_MAX);
    metrics.acknowledged.inc({ copies: confirmed ? 'two' : 'one' });
    return confirmed ? '' : 'durable on one copy';
  }

  /** Waits for the first holder. What OK says when it refused the event for good, or adds when none confirmed. */
  async #firstCopy(event: NostrEvent, decision: Decision, dropped: readonly string[]) {
    const { confirmations, metrics } = this.#options;
    const holders = this.#witnesses(event, decision, dropped);
    const { confirmed, message } = await confirmations.wait(event.id, holders, HOLDER_MS_MAX);
    if (message === SUPERSEDED || (!confirmed && message !== '')) return { refusal: message };
    metrics.acknowledged.inc({ copies: confirmed ? 'two' : 'spooled' });
    return { doubt: confirmed ? '' : 'spooled here, no holder has confirmed it yet' };
  }

  /**
   * Holders that may confirm: those that a copy is on its way to, of the list that is read now, as what is acknowledged is
   * looked for there; while a group moves the other list takes writes too, and counts where none of the first can be reached.
   */
  #witnesses(event: NostrEvent, decision: Decision, dropped: readonly string[]): string[] {
    const { enforcer, links } = this.#options;
    const reachable = (holders: readonly number[]) =>
      this.#ids(holders.filter((index) => !enforcer().isDead(index))).filter(
        (member) => !dropped.includes(member) && links.get(member)?.healthy,
      );
    const writers = isPlacedByTagged(event.kind) ? decision.holders : enforcer().writersOf(event.pubkey);
    const read = reachable(decision.holders.filter((index) => writers.includes(index)));
    return read.length > 0 ? read : reachable(decision.holders);
  }

  /** Ephemeral events go to other members at once or not at all. */
  #passOn(event: NostrEvent, members: readonly number[], hops: number): void {
    for (const index of members) {
      const link = this.#options.links.at(index);
      if (!link || this.#ephemeralInFlight >= EPHEMERAL_IN_FLIGHT_MAX) continue;
      this.#ephemeralInFlight++;
      link
        .publish(event, hops + 1)
        .catch(() => {}) // out of reach: whoever listens there misses it
        .finally(() => {
          this.#ephemeralInFlight--;
        });
    }
  }

  #redirect(decision: Decision, source: Source): string {
    const urls = this.#urls(decision.holders);
    if (decision.reason === 'protected' && !source.announced && this.#options.enforcer().mode !== 'redirect')
      return `restricted: a protected event can't be forwarded; publish it to ${urls.join(' or ')}`;
    return redirectMessage(urls);
  }

  #ids(members: readonly number[]): string[] {
    const all = this.#options.enforcer().table?.members ?? [];
    return members.map((index) => all[index]!.id);
  }

  #urls(members: readonly number[]): string[] {
    const all = this.#options.enforcer().table?.members ?? [];
    return members.map((index) => all[index]!.url);
  }
}

/** The parts of a message that there are. */
function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('; ');
}

/** Nobody is passed over in silence. */
function over({ excess }: Delivery): string {
  return excess === 0 ? '' : `it tags too many: ${excess} accounts or hashtags get no copy`;
}
