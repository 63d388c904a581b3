import type { NostrEvent } from '@covey/nostr';
import type { Spool, SpooledEvent } from '../store/spool.ts';
import type { HolderAnswer } from './confirmations.ts';
import type { PublishAnswer } from './link-publishes.ts';
import type { MemberLink } from './member-link.ts';
import type { MemberLinks } from './member-links.ts';
import { MemberUnreachableError } from './member-unreachable.ts';

const BATCH = 128;
/** Events in flight to one member. */
const WINDOW = 512;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 30_000;
/** Longest pause while the member answers and only refuses some of them for now. */
const CONNECTED_RETRY_MS = 2000;
/** An entry that could not be delivered for so long is given up, counted and logged. */
const AGE_MS_MAX = 7 * 24 * 3600 * 1000;
/** Refusals that say "not now" or "not yet"; every other one is final. */
const TRANSIENT = /^(error|rate-limited|auth-required)(:|$)/;

export interface ForwarderOptions {
  spool: Spool;
  links: MemberLinks;
  /** Unix milliseconds. */
  clock: () => number;
  log: { warn(fields: object, text: string): void };
  onDelivered: (member: string, events: number) => void;
  onGivenUp: (event: NostrEvent) => void;
  /** Told of every answer; `undefined`: there was none. @param ms since the event was spooled */
  onAnswer: (event: NostrEvent, member: string, answer: HolderAnswer | undefined, ms: number) => void;
}

/** Empties the spool: one sender for each member that something waits for, oldest first, with backoff. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #senders = new Map<string, Sender>();
  #stopped = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    options.spool.onAdded = (member, seq) => this.wake(member, seq);
  }

  /** Starts delivering to every member that something waits for. */
  wakeAll(): void {
    for (const member of this.#options.spool.members) this.wake(member);
  }

  /** @param seq an entry that was added; it may be older than what was sent last */
  wake(member: string, seq?: number): void {
    if (this.#stopped || !this.#options.links.has(member)) return;
    let sender = this.#senders.get(member);
    if (!sender) this.#senders.set(member, (sender = new Sender(member, this.#options)));
    sender.wake(seq);
  }

  /** Events that wait for a member that could not be reached lately. */
  stuck(member: string): number {
    return this.#senders.get(member)?.unreachable ? this.#options.spool.waitingFor(member) : 0;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#senders.values()].map((sender) => sender.stop()));
  }
}

/**
 * Delivers what waits for one member: a window of events is in flight at any time, oldest first, each struck off when its
 * answer came. New events go at once; those that were refused for now are tried again after a pause.
 */
class Sender {
  readonly #member: string;
  readonly #options: ForwarderOptions;
  /** Sent, or delivered and about to be struck off: never sent twice at a time. */
  readonly #inFlight = new Map<number, Promise<void>>();
  #cursor = 0;
  /** Filling the window; `#wanted` when there may be more since it looked. */
  #pumping: Promise<void> | undefined;
  #wanted = false;
  #woken: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #waitMs = RETRY_MS_MIN;
  #unreachable = false;
  #stopped = false;
  #delivered: { entry: SpooledEvent; taken: boolean }[] = [];
  #settling: Promise<void> | undefined;

  constructor(member: string, options: ForwarderOptions) {
    this.#member = member;
    this.#options = options;
  }

  get unreachable(): boolean {
    return this.#unreachable;
  }

  wake(seq = Number.POSITIVE_INFINITY): void {
    if (this.#stopped) return;
    this.#cursor = Math.min(this.#cursor, seq - 1);
    this.#woken ??= setImmediate(() => {
      this.#woken = undefined;
      if (this.#unreachable && this.#options.links.get(this.#member)?.healthy) this.#again();
      else this.#pump();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    if (this.#woken) clearImmediate(this.#woken);
    await this.#pumping;
    await Promise.all(this.#inFlight.values());
    await this.#settling;
  }

  /** Sends from the oldest entry on. */
  #again(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#unreachable = false;
    this.#cursor = 0;
    this.#pump();
  }

  #pump(): void {
    this.#wanted = true;
    this.#pumping ??= this.#fill()
      .catch((error) => {
        // The store could not be read.
        this.#failed(error);
        const link = this.#options.links.get(this.#member);
        if (link) this.#retryLater(link);
      })
      .finally(() => {
        this.#pumping = undefined;
      });
  }

  async #fill(): Promise<void> {
    while (this.#wanted) {
      this.#wanted = false;
      await this.#fillWindow();
    }
  }

  async #fillWindow(): Promise<void> {
    const { spool, links } = this.#options;
    while (!this.#stopped && !this.#unreachable && this.#inFlight.size < WINDOW) {
      const link = links.get(this.#member);
      if (!link) return; // left the table: a new table reroutes what waits for it
      const after = this.#cursor;
      const entries = await spool.next(this.#member, after, BATCH);
      if (this.#cursor !== after) continue; // begun again from the oldest meanwhile
      if (entries.length === 0 || this.#stopped) return;
      this.#cursor = entries.at(-1)!.seq;
      for (const entry of entries)
        if (!this.#inFlight.has(entry.seq)) this.#inFlight.set(entry.seq, this.#send(link, entry));
    }
  }

  async #send(link: MemberLink, entry: SpooledEvent): Promise<void> {
    let answer: PublishAnswer | undefined;
    try {
      answer = await link.publish(entry.event, entry.hops);
    } catch (error) {
      if (!(error instanceof MemberUnreachableError)) this.#failed(error);
    }
    const { clock, onAnswer } = this.#options;
    onAnswer(
      entry.event,
      this.#member,
      answer && { ...answer, final: !TRANSIENT.test(answer.message) },
      clock() - entry.spooledAtMs,
    );
    if (this.#isDone(entry, answer)) {
      this.#delivered.push({ entry, taken: answer?.accepted === true });
      this.#settling ??= this.#settle();
      return;
    }
    this.#inFlight.delete(entry.seq);
    // Out of reach: the rest waits as well.
    if (answer === undefined) this.#unreachable = true;
    this.#retryLater(link);
  }

  /** Strikes off what was delivered, everything of one turn together. */
  async #settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const batch = this.#delivered;
    this.#delivered = [];
    try {
      await this.#options.spool.settle(
        this.#member,
        batch.map(({ entry }) => entry.seq),
      );
      const taken = batch.filter((one) => one.taken).length;
      if (taken > 0) this.#options.onDelivered(this.#member, taken);
      this.#waitMs = RETRY_MS_MIN;
    } catch (error) {
      // The disk refused to strike them off: they are sent again, and known there.
      this.#failed(error);
      const link = this.#options.links.get(this.#member);
      if (link) this.#retryLater(link);
    }
    for (const { entry } of batch) this.#inFlight.delete(entry.seq);
    this.#settling = this.#delivered.length > 0 ? this.#settle() : undefined;
    this.wake();
  }

  #retryLater(link: MemberLink): void {
    if (this.#retry || this.#stopped) return;
    this.#waitMs = Math.min(this.#waitMs * 2, RETRY_MS_MAX);
    const ms = link.connected
      ? Math.min(this.#waitMs, CONNECTED_RETRY_MS)
      : Math.max(link.retryInMs, this.#waitMs);
    this.#retry = setTimeout(() => this.#again(), ms);
    this.#retry.unref();
  }

  #failed(error: unknown): void {
    this.#options.log.warn({ member: this.#member, error: String(error) }, 'forwarding failed; trying again');
  }

  #isDone(entry: SpooledEvent, answer: PublishAnswer | undefined): boolean {
    if (answer?.accepted) return true;
    if (answer && !TRANSIENT.test(answer.message)) return this.#giveUp(entry, answer.message);
    if (this.#options.clock() - entry.spooledAtMs > AGE_MS_MAX)
      return this.#giveUp(entry, `not delivered within ${AGE_MS_MAX / 3_600_000} hours`);
    return false;
  }

  #giveUp(entry: SpooledEvent, reason: string): true {
    this.#options.log.warn(
      { member: this.#member, event: entry.event.id, reason },
      'a spooled event was given up',
    );
    this.#options.onGivenUp(entry.event);
    return true;
  }
}
