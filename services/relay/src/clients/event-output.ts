import { type ClientOptions, deflatedEventsFrame, eventsFrame, withheldFrame } from '@covey/protocol';
import { eventPrefix } from '../frames.ts';
import type { Outbound } from '../outbound.ts';
import type { ByteAllowance } from './byte-allowance.ts';
import type { Batch, EventBatches, OutgoingEvent } from './event-batches.ts';

export type { OutgoingEvent } from './event-batches.ts';

/** How the events of one subscription leave. */
export interface EventOutput {
  /** A new event. */
  live(event: OutgoingEvent): void;
  /** An event of the stored part; settles when the reader can take more. */
  stored(event: OutgoingEvent): Promise<void>;
  /** The stored part is over: all of it is out when this settles. @returns whether something was withheld */
  endStored(): Promise<boolean>;
  close(): void;
}

/** Lists shorter than this gain nothing by compression. */
const DEFLATE_BYTES_MIN = 400;
/** How often a subscription is told of new events that were withheld. */
const WITHHELD_MS = 1000;

export interface EventOutputOptions {
  subscription: string;
  outbound: Outbound;
  options: ClientOptions;
  batches: EventBatches;
  /** What this connection may still receive; undefined: no bound. */
  allowance: ByteAllowance | undefined;
  /** Asked for by id: whole, whatever the options say of content and bytes. */
  whole: boolean;
}

/** Events for a client that announced itself: in batches, compressed, within its allowance, as it asked. */
export class AnnouncedOutput implements EventOutput {
  readonly #with: EventOutputOptions;
  readonly #contentBytesMax: number | undefined;
  readonly #prefix: string;
  readonly #flushLive = () => this.#flush();
  #batch: Batch | undefined;
  /** Frames leave in order, also while some are being compressed. */
  #sending: Promise<void> = Promise.resolve();
  #withheld = { events: 0, bytes: 0, since: 0, until: 0 };
  #withheldTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: EventOutputOptions) {
    this.#with = options;
    this.#prefix = eventPrefix(options.subscription);
    this.#contentBytesMax = options.whole ? undefined : options.options.contentBytesMax;
  }

  live(event: OutgoingEvent): void {
    const batch = this.#gather(event);
    if (!batch) {
      this.#withheldTimer ??= setTimeout(() => this.#sayWithheld(), WITHHELD_MS).unref();
      return;
    }
    const { batch: most } = this.#with.options;
    if (most === 0) this.#with.outbound.send(`${this.#prefix}${batch.last}]`);
    else {
      this.#batch = batch;
      if (batch.size >= most) this.#flush();
      else this.#with.batches.atEnd(this.#flushLive);
    }
  }

  async stored(event: OutgoingEvent): Promise<void> {
    const batch = this.#gather(event);
    if (!batch) return;
    const { outbound, options } = this.#with;
    if (options.batch === 0) return await outbound.pace(`${this.#prefix}${batch.last}]`);
    this.#batch = batch;
    if (batch.size >= options.batch) await this.#flushStored();
  }

  async endStored(): Promise<boolean> {
    await this.#flushStored();
    const some = this.#withheld.events > 0;
    this.#sayWithheld();
    return some;
  }

  /** The batch with this event in it, or undefined when it is withheld. */
  #gather(event: OutgoingEvent): Batch | undefined {
    const { allowance, batches, whole } = this.#with;
    const batch = (this.#batch ?? batches.start(this.#contentBytesMax)).with(event);
    if (!allowance) return batch;
    const bytes = Buffer.byteLength(batch.last);
    if (whole) allowance.charge(bytes);
    else if (!allowance.take(bytes)) {
      const { events, since, until } = this.#withheld;
      this.#withheld = {
        events: events + 1,
        bytes: this.#withheld.bytes + bytes,
        since: events === 0 ? event.createdAt : Math.min(since, event.createdAt),
        until: Math.max(until, event.createdAt),
      };
      return undefined;
    }
    return batch;
  }

  #take(): Batch | undefined {
    const batch = this.#batch;
    this.#batch = undefined;
    this.#with.batches.forget(this.#flushLive);
    return batch;
  }

  #flush(): void {
    const batch = this.#take();
    if (!batch || this.#closed) return;
    const { outbound, options } = this.#with;
    if (!options.compress) {
      outbound.send(this.#text(batch));
      return;
    }
    const frame = this.#frame(batch);
    this.#sending = this.#sending.then(async () => {
      const ready = await frame;
      if (!this.#closed) outbound.send(ready);
    });
  }

  async #flushStored(): Promise<void> {
    const batch = this.#take();
    if (!batch || this.#closed) return;
    const { outbound, options } = this.#with;
    await this.#sending;
    await outbound.pace(options.compress ? await this.#frame(batch) : this.#text(batch));
  }

  #text(batch: Batch): string {
    return eventsFrame(this.#with.subscription, batch.list);
  }

  async #frame(batch: Batch): Promise<string | Uint8Array> {
    const deflated = batch.list.length < DEFLATE_BYTES_MIN ? undefined : batch.deflated;
    return deflated ? deflatedEventsFrame(this.#with.subscription, await deflated) : this.#text(batch);
  }

  #sayWithheld(): void {
    clearTimeout(this.#withheldTimer);
    this.#withheldTimer = undefined;
    if (this.#withheld.events === 0 || this.#closed) return;
    this.#with.outbound.send(
      withheldFrame(this.#with.subscription, { ...this.#withheld, reason: 'bytesPerMinute' }),
    );
    this.#withheld = { events: 0, bytes: 0, since: 0, until: 0 };
  }

  close(): void {
    this.#closed = true;
    this.#take();
    clearTimeout(this.#withheldTimer);
  }
}
