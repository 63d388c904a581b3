import type { Enforcer } from '@covey/enforcement';
import {
  continueReconciliation,
  isEphemeral,
  KIND,
  NegentropyItems,
  type NostrEvent,
  parseEvent,
  startReconciliation,
} from '@covey/nostr';
import type { EventStore } from '../store/event-store.ts';
import { expirationOf } from '../store/keys.ts';
import { isRetained, type RetentionRule } from '../store/retention.ts';
import type { SharedItems } from '../store/shared-items.ts';
import { vanishesHere } from '../vanish.ts';
import type { Filling, FillSession } from './filling.ts';
import type { MemberLink } from './member-link.ts';
import type { MemberLinks } from './member-links.ts';
import { halves, REPAIR_FRAME_BYTES_MAX, REPAIR_ITEMS_MAX, type RepairScope } from './repair-scope.ts';
import { viewOf } from './repair-view.ts';

const FETCH_IDS = 200;
const ANSWER_MS = 30_000;
/** Rounds of one reconciliation: each halves what is open by sixteen, so that honest ones end far below. */
const ROUNDS_MAX = 1000;
const RETRY_MS_MIN = 500;
/** While something is being filled; and when nothing is. */
const FILL_RETRY_MS_MAX = 4_000;
const RETRY_MS_MAX = 30_000;
/** What was left of a repair that broke off is taken up within this time. */
const RESUME_MS_MAX = 600_000;
/** Ids that the store refused: superseded, deleted. They are not fetched again and again. */
const DECLINED_MAX = 50_000;
/** Events that come by repair and are not older go to those who listen. */
const LIVE_SECONDS = 600;
/** Who has another table than this member does not know what both share; it is not waited for longer than this. */
const BEHIND_MS_MAX = 15_000;
/** Who lives, as others say, and can't be reached from here is not waited for longer than this. */
const SOUGHT_MS_MAX = 15_000;
const END_OF_TIME = Number.MAX_SAFE_INTEGER;
/** A plain relay is compared over all that it has, not over what both hold: so many times as seldom. */
const PLAIN_EVERY = 6;

export interface RepairOptions {
  store: EventStore;
  items: SharedItems;
  links: MemberLinks;
  filling: Filling;
  enforcer: () => Enforcer;
  /** The URL that clients open: a request to vanish may name it. */
  relayUrl: () => string;
  /** Nothing that moves may start any more: the time of the table for that is over. */
  frozen: () => boolean;
  /** What is older is not fetched again. */
  retention: readonly RetentionRule[];
  /** The verdict on an event's id and signature. */
  verify: (event: NostrEvent) => Promise<string>;
  /** Unix milliseconds. */
  clock: () => number;
  random: () => number;
  /** How often each other member is compared with when nothing else asks for it. */
  everyMs: number;
  eventsPerSecondMax: number;
  bytesPerSecondMax: number;
  onStored: (event: NostrEvent, isNew: boolean) => void;
  onRepaired: (result: { member: string; events: number; ms: number }) => void;
  log: { info(fields: object, text: string): void; debug(fields: object, text: string): void };
}

/** A repair that is under way, or broke off. */
interface Left {
  /** Still to be compared; taken from the end: what deletes comes first. */
  scopes: RepairScope[];
  /** What was being filled when it began. */
  session: FillSession;
  atMs: number;
}

/** The other member applies another epoch: what the two share it does not know. */
class OtherEpochError extends Error {
  override name = 'OtherEpochError';
}

/**
 * Fills and repairs what this member holds: compares it with other holders by negentropy and fetches what it lacks, what
 * deletes first. After a start and under a new table at once, then now and then. It only ever takes: what the other side
 * lacks, that one takes itself. A plain relay can't, and is given what it lacks.
 */
export class Repair {
  readonly #options: RepairOptions;
  readonly #left = new Map<string, Left>();
  /** Since when a member was seen to have another table. */
  readonly #behindSinceMs = new Map<string, number>();
  /** Since when a member that lives can't be reached from here. */
  readonly #soughtSinceMs = new Map<string, number>();
  readonly #comparedAtMs = new Map<string, number>();
  readonly #declined = new Set<string>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = RETRY_MS_MIN;
  /** While it ran something changed. */
  #woken = false;
  #stopped = false;

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** Looks for something to do now. */
  wake(): void {
    this.#waitMs = RETRY_MS_MIN;
    this.#woken = true;
    this.#look();
  }

  #look(): void {
    if (this.#stopped || this.#running) return;
    this.#woken = false;
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#stopped) return;
      this.#timer = setTimeout(() => this.#look(), this.#woken ? 0 : this.#pauseMs());
      this.#timer.unref();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #pauseMs(): number {
    const { filling, everyMs, random } = this.#options;
    if (filling.size > 0) {
      this.#waitMs = Math.min(this.#waitMs * 2, FILL_RETRY_MS_MAX);
      return this.#waitMs * (0.5 + random() / 2);
    }
    this.#waitMs = RETRY_MS_MIN;
    return Math.min(everyMs, RETRY_MS_MAX) * (0.5 + random() / 2);
  }

  async #run(): Promise<void> {
    // Who died meanwhile is not waited for by groups that others were asked about.
    this.#options.filling.recheck(this.#reachable);
    const tried = new Set<string>();
    for (;;) {
      const next = this.#next(tried);
      if (this.#stopped || next === undefined) return;
      tried.add(next);
      await this.#repairWith(next);
    }
  }

  /** Who to ask: a holder of what is being filled, then one that was not compared with for long. */
  #next(tried: ReadonlySet<string>): string | undefined {
    const { filling, clock, everyMs, frozen } = this.#options;
    const wanted = filling.wanted(frozen()).find((member) => !tried.has(member));
    if (wanted !== undefined) return wanted;
    for (const member of filling.peers) {
      const waitMs = this.#options.links.get(member)?.isPlain ? PLAIN_EVERY * everyMs : everyMs;
      if (!tried.has(member) && clock() - (this.#comparedAtMs.get(member) ?? -waitMs) >= waitMs)
        return member;
    }
    return undefined;
  }

  async #repairWith(member: string): Promise<void> {
    const { links, filling, clock, log } = this.#options;
    const link = links.get(member);
    if (!link) return;
    const startedAtMs = clock();
    const left = this.#begin(member, startedAtMs);
    let events = 0;
    let full = true;
    try {
      while (left.scopes.length > 0) {
        if (this.#stopped) return;
        const scope = left.scopes.at(-1)!;
        const result = await this.#compare(link, scope);
        if (!result) {
          const parts = halves(scope, Math.floor(clock() / 1000));
          left.scopes.pop();
          // A second with more events than can be compared stays as it is.
          if (parts) left.scopes.push(...parts.reverse());
          else log.info({ member, since: scope.since }, 'too many events in a second to compare');
          continue;
        }
        // What a plain relay lacks it can't say.
        if (result.filling || link.isPlain) full = false;
        events += await this.#fetch(link, result.need);
        if (link.isPlain) await this.#give(link, result.have);
        left.scopes.pop();
      }
    } catch (error) {
      log.debug({ member, error: String(error) }, 'a repair broke off');
      if (error instanceof OtherEpochError && this.#isLongBehind(member))
        filling.taken(member, false, this.#reachable, left.session);
      return;
    }
    this.#left.delete(member);
    this.#behindSinceMs.delete(member);
    this.#comparedAtMs.set(member, clock());
    filling.taken(member, full, this.#reachable, left.session);
    this.#options.onRepaired({ member, events, ms: clock() - startedAtMs });
    if (events > 0) log.info({ member, events, ms: clock() - startedAtMs }, 'fetched what was missing here');
  }

  /** What broke off goes on, when it still counts for all that is wanted of the member. */
  #begin(member: string, nowMs: number): Left {
    const { filling } = this.#options;
    const known = this.#left.get(member);
    if (known && nowMs - known.atMs < RESUME_MS_MAX && filling.covers(known.session, member)) return known;
    const left: Left = {
      scopes: [
        { since: 0, until: END_OF_TIME },
        { kinds: [KIND.deletion, KIND.vanish], since: 0, until: END_OF_TIME },
      ],
      session: filling.begin(),
      atMs: nowMs,
    };
    this.#left.set(member, left);
    return left;
  }

  #isLongBehind(member: string): boolean {
    const nowMs = this.#options.clock();
    const sinceMs = this.#behindSinceMs.get(member) ?? nowMs;
    this.#behindSinceMs.set(member, sinceMs);
    return nowMs - sinceMs > BEHIND_MS_MAX;
  }

  /**
   * Whether a member is waited for: it is not dead, and is connected or was not sought for long. After a restart of several
   * it may be a moment before they find each other, and each may have what no other one can bring.
   */
  readonly #reachable = (member: string): boolean => {
    const { links, enforcer, clock } = this.#options;
    const index = enforcer().table?.memberIndex(member);
    const link = links.get(member);
    if (index === undefined || !link || enforcer().isDead(index)) return false;
    if (link.connected) {
      this.#soughtSinceMs.delete(member);
      return true;
    }
    const nowMs = clock();
    const sinceMs = this.#soughtSinceMs.get(member) ?? nowMs;
    this.#soughtSinceMs.set(member, sinceMs);
    return nowMs - sinceMs < SOUGHT_MS_MAX;
  };

  /**
   * What the other member has of a scope and this one lacks; undefined when it is too much for one comparison.
   * @throws OtherEpochError when the other one applies another epoch than this member
   */
  async #compare(
    link: MemberLink,
    scope: RepairScope,
  ): Promise<{ need: string[]; have: string[]; filling: boolean } | undefined> {
    const { items: shared, enforcer } = this.#options;
    const current = enforcer();
    const index = current.table?.memberIndex(link.id) ?? -1;
    const epoch = current.table?.epoch ?? 0;
    const own = await shared.read(scope, (event) => current.shares(event, index), REPAIR_ITEMS_MAX);
    if (!own) return undefined;
    const items = new NegentropyItems(own);
    const need = new Set<string>();
    const have = new Set<string>();
    let filling = false;
    const session = await link.reconcile({ ...scope, ...viewOf(current) });
    try {
      let message: string | undefined = startReconciliation(items);
      for (let round = 0; message !== undefined; round++) {
        if (round === ROUNDS_MAX) throw new Error('the comparison does not end');
        const answer = await session.exchange(message, ANSWER_MS);
        if (answer.tooMany) return undefined;
        // By a newer table it may share less with this member than this one holds: the answer would count for too much.
        if (!link.isPlain && answer.epoch !== epoch)
          throw new OtherEpochError(`${link.id} applies epoch ${answer.epoch}, this member ${epoch}`);
        filling ||= answer.filling;
        const found = continueReconciliation(items, answer.message, {
          frameBytesMax: REPAIR_FRAME_BYTES_MAX,
        });
        for (const id of found.need) if (!this.#declined.has(id)) need.add(id);
        for (const id of found.have) have.add(id);
        if (need.size > REPAIR_ITEMS_MAX) return undefined;
        message = found.message;
      }
    } finally {
      session.close();
    }
    return { need: [...need], have: [...have], filling };
  }

  /** Fetches events by id, no faster than the bounds allow. @returns how many were new here */
  async #fetch(link: MemberLink, ids: readonly string[]): Promise<number> {
    const { clock, eventsPerSecondMax, bytesPerSecondMax } = this.#options;
    let stored = 0;
    for (let i = 0; i < ids.length && !this.#stopped; ) {
      const startedAtMs = clock();
      const batch = ids.slice(i, i + FETCH_IDS);
      const { events, complete } = await link.fetch(
        [{ ids: batch, limit: batch.length, tags: {} }],
        ANSWER_MS,
      );
      stored += await this.#store(events, link.isPlain);
      // A long answer is cut by its bytes: what it had counts, the rest is asked for again.
      const got = new Set(events.map((event) => (event as { id?: unknown } | null)?.id));
      const missed = complete === false && events.length > 0 ? batch.filter((id) => !got.has(id)) : [];
      i += batch.length - missed.length;
      if (missed.length > 0) {
        stored += await this.#fetch(link, missed);
        i += missed.length;
      }
      const bytes = events.reduce<number>((sum, event) => sum + JSON.stringify(event).length, 0);
      const paceMs = 1000 * Math.max(events.length / eventsPerSecondMax, bytes / bytesPerSecondMax);
      await pause(paceMs - (clock() - startedAtMs));
    }
    return stored;
  }

  /** @param foreign it may have sent what belongs to nobody here */
  async #store(values: readonly unknown[], foreign: boolean): Promise<number> {
    const { store, verify, enforcer, clock, onStored, relayUrl, retention } = this.#options;
    const nowSeconds = Math.floor(clock() / 1000);
    const current = enforcer();
    let stored = 0;
    await Promise.all(
      wellFormed(values).map(async (event) => {
        if ((await verify(event)) !== 'valid') return;
        const expires = expirationOf(event);
        if (isEphemeral(event.kind) || (expires !== undefined && expires <= nowSeconds)) return;
        const erases = !foreign && (event.kind === KIND.deletion || event.kind === KIND.vanish);
        if (!current.keeps(event) && !erases) return this.#decline(event.id);
        if (!isRetained(retention, event, nowSeconds)) return this.#decline(event.id);
        const { outcome } = await store.write({
          event,
          keep: true,
          vanish: vanishesHere(event, relayUrl()),
          delivered: !current.holds(event),
        });
        if (outcome === 'stored') {
          stored++;
          onStored(event, event.created_at > nowSeconds - LIVE_SECONDS);
        } else if (outcome !== 'duplicate') this.#decline(event.id);
      }),
    );
    return stored;
  }

  /** Gives a plain relay what it lacks, no faster than the bounds allow. */
  async #give(link: MemberLink, ids: readonly string[]): Promise<void> {
    const { store, clock, eventsPerSecondMax } = this.#options;
    for (let i = 0; i < ids.length && !this.#stopped; i += FETCH_IDS) {
      const startedAtMs = clock();
      const batch = ids.slice(i, i + FETCH_IDS);
      const { events } = await store.query(
        { ids: batch, tags: {} },
        {
          limitMax: batch.length,
          bytesMax: Number.MAX_SAFE_INTEGER,
          now: Math.floor(startedAtMs / 1000),
        },
      );
      for (const { json } of events) await link.publish(JSON.parse(json), 1);
      await pause((1000 * events.length) / eventsPerSecondMax - (clock() - startedAtMs));
    }
  }

  #decline(id: string): void {
    this.#declined.add(id);
    if (this.#declined.size > DECLINED_MAX) this.#declined.delete(this.#declined.values().next().value!);
  }
}

function wellFormed(values: readonly unknown[]): NostrEvent[] {
  return values.flatMap((value) => {
    try {
      return [parseEvent(value)];
    } catch {
      return [];
    }
  });
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
