import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { eventList, withoutLongContent } from '@covey/protocol';

const deflate = promisify(deflateRaw);
/** Lists that are being compressed for all connections; further batches go uncompressed. */
const DEFLATES_MAX = 64;

/** An event on its way out. */
export interface OutgoingEvent {
  id: string;
  /** Unix seconds. */
  createdAt: number;
  json: string;
}

/**
 * Batches that are shared: who receives the same events in the same order, in the form that it asked for, holds the same
 * node, and its text and compressed form are made once. What is gathered goes out `delayMs` after the first event.
 */
export class EventBatches {
  readonly #delayMs: number;
  readonly #roots = new Map<number | undefined, Batch>();
  readonly #due = new Set<() => void>();
  readonly #deflating = { count: 0 };
  #timer: NodeJS.Timeout | undefined;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** An empty batch of events whose content is left out above `contentBytesMax`. */
  start(contentBytesMax: number | undefined): Batch {
    this.#arm();
    let root = this.#roots.get(contentBytesMax);
    if (!root) {
      root = new Batch(undefined, '', contentBytesMax, this.#deflating);
      this.#roots.set(contentBytesMax, root);
    }
    return root;
  }

  /** Calls `flush` once, at the end of this round. */
  atEnd(flush: () => void): void {
    this.#due.add(flush);
    this.#arm();
  }

  forget(flush: () => void): void {
    this.#due.delete(flush);
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => this.#end(), this.#delayMs);
  }

  #end(): void {
    this.#timer = undefined;
    const due = [...this.#due];
    this.#due.clear();
    for (const flush of due) flush();
    this.#roots.clear();
  }
}

/** A list of events, one longer than its parent. Never changes; `with` gives the longer one, the same for the same event. */
export class Batch {
  readonly size: number;
  readonly #parent: Batch | undefined;
  readonly #json: string;
  readonly #contentBytesMax: number | undefined;
  readonly #deflating: { count: number };
  readonly #longer = new Map<string, Batch>();
  #list: string | undefined;
  #deflated: Promise<Uint8Array> | undefined;

  constructor(
    parent: Batch | undefined,
    json: string,
    contentBytesMax: number | undefined,
    deflating: { count: number },
  ) {
    this.#parent = parent;
    this.#json = json;
    this.#contentBytesMax = contentBytesMax;
    this.#deflating = deflating;
    this.size = parent ? parent.size + 1 : 0;
  }

  with(event: OutgoingEvent): Batch {
    let longer = this.#longer.get(event.id);
    if (!longer) {
      const max = this.#contentBytesMax;
      const json = max === undefined ? event.json : withoutLongContent(event.json, max);
      longer = new Batch(this, json, max, this.#deflating);
      this.#longer.set(event.id, longer);
    }
    return longer;
  }

  /** The last event, as it goes out. */
  get last(): string {
    return this.#json;
  }

  /** The JSON list. */
  get list(): string {
    if (this.#list !== undefined) return this.#list;
    const events: string[] = [];
    for (let batch: Batch = this; batch.#parent; batch = batch.#parent) events.push(batch.#json);
    this.#list = eventList(events.reverse());
    return this.#list;
  }

  /** The list in deflate-raw, off the main thread, or undefined when too many are being made. */
  get deflated(): Promise<Uint8Array> | undefined {
    if (this.#deflated) return this.#deflated;
    const deflating = this.#deflating;
    if (deflating.count >= DEFLATES_MAX) return undefined;
    deflating.count++;
    this.#deflated = deflate(this.list, { level: 6 }).finally(() => {
      deflating.count--;
    });
    return this.#deflated;
  }
}
