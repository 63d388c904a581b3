import type { NostrEvent } from '@covey/nostr';
import type { Spool, SpooledEvent } from '../store/spool.ts';
import { MemberUnreachableError } from './member-link.ts';
import type { MemberLinks } from './member-links.ts';

const BATCH = 128;
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
}

/** Empties the spool: one sender for each member that something waits for, oldest first, with backoff. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #senders = new Map<string, Sender>();
  #stopped = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    options.spool.onAdded = (member) => this.wake(member);
  }

  /** Starts delivering to every member that something waits for. */
  wakeAll(): void {
    for (const member of this.#options.spool.members) this.wake(member);
  }

  wake(member: string): void {
    if (this.#stopped || !this.#options.links.has(member)) return;
    let sender = this.#senders.get(member);
    if (!sender) this.#senders.set(member, (sender = new Sender(member, this.#options)));
    sender.wake();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#senders.values()].map((sender) => sender.stop()));
  }
}

class Sender {
  readonly #member: string;
  readonly #options: ForwarderOptions;
  #running: Promise<void> | undefined;
  #woken = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #endWait: (() => void) | undefined;

  constructor(member: string, options: ForwarderOptions) {
    this.#member = member;
    this.#options = options;
  }

  wake(): void {
    this.#woken = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#woken && !this.#stopped) this.wake();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endWait?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    let waitMs = RETRY_MS_MIN;
    while (!this.#stopped && this.#woken) {
      this.#woken = false;
      const { delivered, left } = await this.#tryPass();
      if (left === 0 || this.#stopped) continue;
      this.#woken = true;
      waitMs = delivered > 0 ? RETRY_MS_MIN : Math.min(waitMs * 2, RETRY_MS_MAX);
      const link = this.#options.links.get(this.#member);
      if (!link) return; // left the table: a new table reroutes what waits for it
      await this.#wait(
        link.connected ? Math.min(waitMs, CONNECTED_RETRY_MS) : Math.max(link.retryInMs, waitMs),
      );
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#endWait = () => {
        clearTimeout(this.#timer);
        resolve();
      };
      this.#timer = setTimeout(resolve, ms);
    });
  }

  /** The disk may refuse what was delivered to be struck off: it is sent again, and known there. */
  async #tryPass(): Promise<{ delivered: number; left: number }> {
    try {
      return await this.#pass();
    } catch (error) {
      this.#options.log.warn(
        { member: this.#member, error: String(error) },
        'forwarding failed; trying again',
      );
      return { delivered: 0, left: 1 };
    }
  }

  /** Tries everything that waits once. `left`: entries that stay. */
  async #pass(): Promise<{ delivered: number; left: number }> {
    const { spool, links } = this.#options;
    let after = 0;
    let delivered = 0;
    let left = 0;
    while (!this.#stopped) {
      const entries = spool.next(this.#member, after, BATCH);
      if (entries.length === 0) break;
      after = entries.at(-1)!.seq;
      const link = links.get(this.#member);
      if (!link) return { delivered, left: left + entries.length };
      const results = await Promise.all(
        entries.map(async (entry) => {
          try {
            return { entry, answer: await link.publish(entry.event, entry.hops) };
          } catch (error) {
            if (error instanceof MemberUnreachableError) return { entry, answer: undefined };
            throw error;
          }
        }),
      );
      const done = results.filter(({ entry, answer }) => this.#isDone(entry, answer));
      await spool.settle(
        this.#member,
        done.map(({ entry }) => entry.seq),
      );
      const taken = done.filter(({ answer }) => answer?.accepted).length;
      if (taken > 0) this.#options.onDelivered(this.#member, taken);
      delivered += done.length;
      left += results.length - done.length;
      // Out of reach: the rest waits as well.
      if (results.some(({ answer }) => answer === undefined)) return { delivered, left: left + 1 };
    }
    return { delivered, left };
  }

  #isDone(entry: SpooledEvent, answer: { accepted: boolean; message: string } | undefined): boolean {
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
