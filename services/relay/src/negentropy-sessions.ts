import {
  answerReconciliation,
  InvalidFilterError,
  NegentropyError,
  NegentropyItems,
  parseFilter,
} from '@covey/nostr';
import type { Limits } from './limits.ts';
import type { EventStore } from './store/event-store.ts';

/** A reconciliation that is not gone on with for this long is dropped. */
const IDLE_MS = 60_000;
/** The hex of a message is twice its bytes, with some words around it. */
const MESSAGE_BYTES_MIN = 4096;

/** Items of all reconciliations of a relay: what its memory can bear. */
export interface NegentropyBudget {
  items: number;
}

export interface NegentropyOptions {
  store: Pick<EventStore, 'itemsMatching'>;
  limits: Limits;
  budget: NegentropyBudget;
  /** Unix milliseconds. */
  clock: () => number;
  mayRead: ((json: string) => boolean) | undefined;
  send: (frame: string) => void;
}

interface Open {
  items: NegentropyItems | undefined;
  timer: NodeJS.Timeout;
}

/** The reconciliations of one connection (NIP-77): each over what was stored here when it was opened. */
export class NegentropySessions {
  readonly #options: NegentropyOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: NegentropyOptions) {
    this.#options = options;
  }

  /** `["NEG-OPEN", id, filter, message]`. Rejects when the store can't be read. */
  async open(id: string, filterJson: unknown, message: unknown): Promise<void> {
    const { store, limits, budget, clock, mayRead } = this.#options;
    this.close(id);
    if (this.#open.size >= limits.negentropySessionsMax) {
      this.#fail(
        id,
        `blocked: ${this.#open.size} reconciliations are open on this connection; close one first`,
      );
      return;
    }
    let filter: ReturnType<typeof parseFilter>;
    try {
      filter = parseFilter(filterJson, { valuesMax: limits.valuesMax });
    } catch (error) {
      if (!(error instanceof InvalidFilterError)) throw error;
      this.#fail(id, `invalid: ${error.message}`);
      return;
    }
    const session: Open = { items: undefined, timer: setTimeout(() => this.#expire(id), IDLE_MS) };
    session.timer.unref();
    this.#open.set(id, session);
    const itemsMax = Math.min(limits.negentropyItemsMax, limits.negentropyItemsTotalMax - budget.items);
    const found =
      itemsMax > 0
        ? await store.itemsMatching(filter, { now: Math.floor(clock() / 1000), mayRead, itemsMax })
        : undefined;
    if (this.#open.get(id) !== session) return; // closed meanwhile, or the connection is gone
    if (!found || budget.items + found.length > limits.negentropyItemsTotalMax) {
      this.#fail(id, 'blocked: this query is too big');
      return;
    }
    session.items = new NegentropyItems(found);
    budget.items += session.items.size;
    this.message(id, message);
  }

  /** `["NEG-MSG", id, message]` */
  message(id: string, message: unknown): void {
    const session = this.#open.get(id);
    if (!session?.items) {
      this.#fail(id, 'closed: no reconciliation of this id is open');
      return;
    }
    session.timer.refresh();
    const frameBytesMax = Math.max(
      MESSAGE_BYTES_MIN,
      Math.floor(this.#options.limits.frameBytesMax / 2) - 128,
    );
    try {
      if (typeof message !== 'string') throw new NegentropyError('the message is not hex');
      const answer = answerReconciliation(session.items, message, { frameBytesMax });
      this.#options.send(JSON.stringify(['NEG-MSG', id, answer]));
    } catch (error) {
      if (!(error instanceof NegentropyError)) throw error;
      this.#fail(id, `invalid: ${error.message}`);
    }
  }

  close(id: string): void {
    const session = this.#open.get(id);
    if (!session) return;
    clearTimeout(session.timer);
    this.#options.budget.items -= session.items?.size ?? 0;
    this.#open.delete(id);
  }

  end(): void {
    for (const id of [...this.#open.keys()]) this.close(id);
  }

  #expire(id: string): void {
    this.#fail(id, `closed: nothing was heard for ${IDLE_MS / 1000} seconds`);
  }

  #fail(id: string, reason: string): void {
    this.close(id);
    this.#options.send(JSON.stringify(['NEG-ERR', id, reason]));
  }
}
