import type { NostrEvent } from '@covey/nostr';
import type { OutboxItem } from './epochs/epoch-store.ts';
import type { OutboxStore } from './outbox-store.ts';
import type { Publishing } from './publishing.ts';

const RETRY_MS = 5_000;

export interface OutboxOptions {
  store: OutboxStore;
  publishing: Publishing;
  /** Whether this coordinator leads right now. */
  leads: () => boolean;
  onPublished: (item: OutboxItem, revocations: readonly NostrEvent[]) => void;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/**
 * Carries committed epochs from PostgreSQL to NATS, oldest first, only while this coordinator leads. An epoch leaves the
 * outbox once JetStream has stored all of it, so that a crash in between publishes it again. On every connect, and after
 * every failure, the streams are made where they are missing and the last epoch is published anew, in case the server lost
 * them; members that have it take no notice.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #working: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #fresh = true;
  /** What NATS has: revocations, and signatures of the last epoch. */
  #revocations = 0;
  #cosigned = { epoch: 0, count: 0 };
  #stopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopListening = this.#options.publishing.onConnect(() => {
      this.#fresh = true;
      this.wake();
    });
  }

  /** Something may be waiting: call after a commit and after taking the lead. */
  wake(): void {
    this.#again = true;
    if (this.#stopped || this.#working) return;
    clearTimeout(this.#timer);
    this.#working = this.#drain().then((failed) => {
      this.#working = undefined;
      if (this.#stopped) return;
      if (failed) this.#timer = setTimeout(() => this.wake(), RETRY_MS);
      // Called while the last signatures were on their way.
      else if (this.#again) this.wake();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#stopListening?.();
    await this.#working;
  }

  /** @returns whether it has to be tried again */
  async #drain(): Promise<boolean> {
    const { store, publishing, leads, onPublished, log } = this.#options;
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        const publisher = publishing.publisher();
        if (!publisher || !leads()) return false;
        if (this.#fresh) {
          await publisher.prepare();
          await store.republishLast();
          this.#fresh = false;
          this.#revocations = 0;
        }
        await this.#publishRevocations(publisher);
        for (let item = await store.next(); item && leads() && !this.#stopped; item = await store.next()) {
          const cosignatures = await store.cosignatures(item.epoch);
          await publisher.publish({ ...item, cosignatures });
          await store.remove(item.epoch);
          this.#cosigned = { epoch: item.epoch, count: cosignatures.length };
          log.info(
            { epoch: item.epoch, tableBytes: item.snapshot.length, deltaBytes: item.delta?.length ?? null },
            'epoch published',
          );
          onPublished(item, await store.revocations());
        }
      }
      await this.#publishCosignatures();
      return false;
    } catch (error) {
      log.warn({ error: String(error) }, 'publishing failed; it will be tried again');
      // The streams may be what is missing, on a connection that never broke: the next try makes them again.
      this.#fresh = true;
      return true;
    }
  }

  /** Before any manifest: who hears of a new key should know that the old one is void. */
  async #publishRevocations(publisher: NonNullable<ReturnType<Publishing['publisher']>>): Promise<void> {
    const revocations = await this.#options.store.revocations();
    if (revocations.length === this.#revocations) return;
    await publisher.publishRevocations(revocations);
    this.#revocations = revocations.length;
  }

  /** Signatures that came after their epoch was published. */
  async #publishCosignatures(): Promise<void> {
    const { store, publishing, leads } = this.#options;
    const publisher = publishing.publisher();
    if (!publisher || !leads() || this.#cosigned.epoch === 0) return;
    const events = await store.cosignatures(this.#cosigned.epoch);
    if (events.length === this.#cosigned.count) return;
    await publisher.publishCosignatures(this.#cosigned.epoch, events);
    this.#cosigned.count = events.length;
  }
}
