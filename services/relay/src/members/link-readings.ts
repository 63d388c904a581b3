import { type Filter, filterToJson } from '@covey/nostr';
import WebSocket from 'ws';
import { MemberUnreachableError } from './member-unreachable.ts';

/** For how long others are asked first when a fetch was not answered in time. */
const DOUBT_MS = 10_000;
/** Events that one fetch takes before it stops and says that there is more. */
const FETCH_EVENTS_MAX = 20_000;
const FETCH_BYTES_MAX = 64 * 1024 * 1024;

export interface FetchAnswer {
  events: unknown[];
  /** As the other member's EOSE said (NIP-67); undefined when it said nothing. */
  complete: boolean | undefined;
  /** It said that it is still filling its copy of what was asked for: others may have more. */
  filling: boolean;
}

export interface LiveListener {
  onEvent(event: unknown): void;
  /** The subscription is gone: the connection broke or the other side closed it. */
  onLost(): void;
}

interface Reading {
  /** @param bytes size of the message that carried it */
  onEvent(event: unknown, bytes: number): void;
  onEose(complete: boolean | undefined): void;
  onLost(reason: string): void;
  onFilling?(): void;
}

/** What is read over one link: fetches until their EOSE, live subscriptions until they are stopped. */
export class LinkReadings {
  readonly #url: string;
  /** Called when a fetch was not answered in time. @param ms for how long to doubt the member */
  readonly #onSilence: (ms: number) => void;
  readonly #open = new Map<string, Reading>();
  #nextId = 0;

  constructor(url: string, onSilence: (ms: number) => void) {
    this.#url = url;
    this.#onSilence = onSilence;
  }

  /** What the other member has stored for these filters. @throws MemberUnreachableError */
  fetch(socket: WebSocket, filters: readonly Filter[], timeoutMs: number): Promise<FetchAnswer> {
    return new Promise((resolve, reject) => {
      const id = `f${this.#nextId++}`;
      const events: unknown[] = [];
      let bytes = 0;
      let filling = false;
      const end = () => {
        clearTimeout(timer);
        this.#close(socket, id);
      };
      const timer = setTimeout(() => {
        end();
        this.#onSilence(DOUBT_MS);
        reject(new MemberUnreachableError(`${this.#url} did not answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#open.set(id, {
        onEvent: (event, size) => {
          bytes += size;
          if (events.push(event) < FETCH_EVENTS_MAX && bytes < FETCH_BYTES_MAX) return;
          end();
          resolve({ events, complete: false, filling });
        },
        onEose: (complete) => {
          end();
          resolve({ events, complete, filling });
        },
        onLost: (reason) => {
          clearTimeout(timer);
          reject(new MemberUnreachableError(reason));
        },
        onFilling: () => {
          filling = true;
        },
      });
      socket.send(req(id, filters));
    });
  }

  /** New events for these filters until the returned function is called or the link is lost. */
  subscribe(socket: WebSocket, filters: readonly Filter[], listener: LiveListener): () => void {
    const id = `l${this.#nextId++}`;
    this.#open.set(id, {
      onEvent: (event) => listener.onEvent(event),
      onEose: () => {},
      onLost: () => listener.onLost(),
    });
    socket.send(req(id, filters));
    return () => this.#close(socket, id);
  }

  #close(socket: WebSocket, id: string): void {
    if (this.#open.delete(id) && socket.readyState === WebSocket.OPEN)
      socket.send(JSON.stringify(['CLOSE', id]));
  }

  /** EVENT, EOSE, CLOSED and COVEY-FILLING; others are passed over. */
  onFrame(type: unknown, id: string, third: unknown, bytes: number): void {
    const reading = this.#open.get(id);
    if (!reading) return;
    if (type === 'COVEY-FILLING') reading.onFilling?.();
    else if (type === 'EVENT') reading.onEvent(third, bytes);
    else if (type === 'EOSE') reading.onEose(readHint(third));
    else if (type === 'CLOSED') {
      this.#open.delete(id);
      reading.onLost(`${this.#url}: ${String(third ?? '').slice(0, 200)}`);
    }
  }

  lost(error: Error): void {
    const readings = [...this.#open.values()];
    this.#open.clear();
    for (const reading of readings) reading.onLost(error.message);
  }
}

function req(id: string, filters: readonly Filter[]): string {
  return JSON.stringify(['REQ', id, ...filters.map(filterToJson)]);
}

function readHint(hints: unknown): boolean | undefined {
  if (!Array.isArray(hints)) return undefined;
  if (hints.includes('more')) return false;
  return hints.includes('finish') ? true : undefined;
}
