import type { LeaseStore } from './lease-store.ts';

const TTL_MS = 10_000;
const RENEW_MS = 3_000;

export interface LeaseOptions {
  store: LeaseStore;
  holder: string;
  /** Monotonic milliseconds: a wall clock that jumps must not lengthen a lease. */
  nowMs: () => number;
  onLeader: (fence: number) => void;
  onLost: () => void;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/**
 * Leadership by a row in PostgreSQL that expires. Each leader gets a higher fence than the one before, and what it writes
 * is written only while the row still carries that fence, so that a leader that was paused and overtaken writes nothing.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #fence: number | undefined;
  #heldUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** The fence under which this process leads, or undefined. */
  get fence(): number | undefined {
    return this.#fence !== undefined && this.#options.nowMs() < this.#heldUntilMs ? this.#fence : undefined;
  }

  start(): void {
    void this.#tick();
  }

  /** Gives leadership up, so that a stand-by need not wait for the lease to expire. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#fence === undefined) return;
    const fence = this.#fence;
    this.#fence = undefined;
    // Ends the lease of this fence alone: a successor's is not touched.
    await this.#options.store.release(fence).catch(() => {});
  }

  async #tick(): Promise<void> {
    const { store, holder, onLeader, nowMs, log } = this.#options;
    const askedAtMs = nowMs();
    try {
      const held = this.#fence;
      const fence =
        held === undefined
          ? await store.acquire(holder, TTL_MS)
          : (await store.renew(held, holder, TTL_MS))
            ? held
            : undefined;
      if (this.#stopped) return;
      if (fence !== undefined) {
        // Counted from before the question, so that this end of the lease is never later than PostgreSQL's.
        this.#heldUntilMs = askedAtMs + TTL_MS;
        if (this.#fence === undefined) {
          this.#fence = fence;
          log.info({ fence }, 'leading');
          onLeader(fence);
        }
      } else if (this.#fence !== undefined) this.#lose('another coordinator leads');
    } catch (error) {
      log.warn({ error: String(error) }, 'the lease could not be asked for');
      if (this.#fence !== undefined && nowMs() >= this.#heldUntilMs) this.#lose('PostgreSQL is out of reach');
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#tick(), RENEW_MS);
  }

  #lose(reason: string): void {
    this.#fence = undefined;
    this.#options.log.warn({ reason }, 'no longer leading');
    this.#options.onLost();
  }
}
