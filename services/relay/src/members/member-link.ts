import { type Filter, filterToJson, isPrivateRelayUrl, type NostrEvent } from '@covey/nostr';
import WebSocket from 'ws';
import { signAuth } from '../auth.ts';
import { publicLookup } from './public-lookup.ts';

export class MemberUnreachableError extends Error {
  override name = 'MemberUnreachableError';
}

export interface LinkOptions {
  /** This member: who it proves to be. */
  self: { pubkey: string; secretKey: string };
  /** Members may have private addresses (the local profile). */
  allowPrivate: boolean;
  /** Unix milliseconds. */
  clock: () => number;
  /** From 0 up to, not including, 1. */
  random: () => number;
  log: { info(fields: object, text: string): void; debug(fields: object, text: string): void };
  /** Time for connecting and proving who we are. */
  connectMs: number;
  /** Largest message taken from another member. */
  frameBytesMax: number;
}

export interface PublishAnswer {
  accepted: boolean;
  message: string;
}

export interface FetchAnswer {
  events: unknown[];
  /** As the other member's EOSE said (NIP-67); undefined when it said nothing. */
  complete: boolean | undefined;
  /** It said that it is still filling its copy of what was asked for: others may have more. */
  filling: boolean;
}

/** One comparison of what both members have, by negentropy. */
export interface Reconciliation {
  /** Sends a message; the answer, or `tooMany` when the scope is too large for the other side. @throws MemberUnreachableError */
  exchange(
    message: string,
    timeoutMs: number,
  ): Promise<{ message: string; filling: boolean; tooMany: boolean }>;
  close(): void;
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

const BACKOFF_MS_MIN = 200;
const BACKOFF_MS_MAX = 15_000;
const ANSWER_MS = 10_000;
const PING_MS = 10_000;
/** Events that one fetch takes before it stops and says that there is more. */
const FETCH_EVENTS_MAX = 20_000;
const FETCH_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The connection to one other member: opened when it is needed, authenticated by NIP-42, reopened with backoff. Whoever
 * uses it decides what to do when it can't be reached.
 */
export class MemberLink {
  readonly id: string;
  readonly url: string;
  readonly #options: LinkOptions;
  #socket: WebSocket | undefined;
  #opening: Promise<WebSocket> | undefined;
  #failures = 0;
  #retryAtMs = 0;
  #doubtedUntilMs = 0;
  #nextId = 0;
  #closed = false;
  readonly #publishing = new Map<
    string,
    { settle(answer: PublishAnswer): void; fail(error: Error): void }[]
  >();
  readonly #readings = new Map<string, Reading>();
  readonly #reconciling = new Map<
    string,
    { settle(frame: readonly unknown[]): void; fail(error: Error): void }
  >();

  constructor(id: string, url: string, options: LinkOptions) {
    this.id = id;
    this.url = url;
    this.#options = options;
  }

  get connected(): boolean {
    return this.#socket !== undefined;
  }

  /** Worth asking first: it is connected, or nothing speaks against trying. */
  get healthy(): boolean {
    const now = this.#options.clock();
    return now >= this.#doubtedUntilMs && (this.connected || now >= this.#retryAtMs);
  }

  /** Milliseconds until a new attempt makes sense. */
  get retryInMs(): number {
    return Math.max(0, this.#retryAtMs - this.#options.clock());
  }

  /** It was heard of: a new attempt makes sense now. */
  retryNow(): void {
    this.#retryAtMs = 0;
    this.#failures = 0;
  }

  /** It did not answer in time: for a while, others are asked first. */
  doubt(ms: number): void {
    this.#doubtedUntilMs = this.#options.clock() + ms;
  }

  /** Settles when events can be sent. @throws MemberUnreachableError, at once while the last failure is fresh */
  async ready(): Promise<WebSocket> {
    if (this.#socket) return this.#socket;
    if (this.#closed) throw new MemberUnreachableError(`the link to ${this.url} is closed`);
    if (this.#opening) return await this.#opening;
    if (this.retryInMs > 0) throw new MemberUnreachableError(`${this.url} could not be reached just now`);
    this.#opening = this.#open();
    try {
      const socket = await this.#opening;
      this.#failures = 0;
      return socket;
    } catch (error) {
      const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#failures++);
      this.#retryAtMs = this.#options.clock() + ceiling * (0.5 + this.#options.random() / 2);
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  #open(): Promise<WebSocket> {
    const { allowPrivate, connectMs, frameBytesMax, log } = this.#options;
    if (!allowPrivate && isPrivateRelayUrl(this.url))
      return Promise.reject(
        new MemberUnreachableError(
          `${this.url} is a private address; only the local profile connects to one`,
        ),
      );
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.url, {
        handshakeTimeout: connectMs,
        maxPayload: frameBytesMax,
        perMessageDeflate: false,
        followRedirects: false,
        ...(allowPrivate ? {} : { lookup: publicLookup }),
      });
      let authId: string | undefined;
      const fail = (cause: unknown) => {
        clearTimeout(timer);
        socket.terminate();
        const text = cause instanceof Error ? cause.message : String(cause);
        reject(new MemberUnreachableError(`${this.url}: ${text}`, { cause }));
      };
      const timer = setTimeout(() => fail(`no answer within ${connectMs} ms`), connectMs);
      socket.on('error', fail);
      socket.on('close', (code) => {
        fail(`closed with ${code}`);
        this.#lost(socket);
      });
      socket.on('message', (data) => {
        const frame = readFrame(data);
        if (!frame) return;
        if (socket === this.#socket) this.#onFrame(frame, (data as Buffer).length);
        else if (frame[0] === 'AUTH' && typeof frame[1] === 'string' && !authId) {
          const auth = signAuth(
            this.#options.self,
            frame[1],
            this.url,
            Math.floor(this.#options.clock() / 1000),
          );
          authId = auth.id;
          socket.send(JSON.stringify(['AUTH', auth]));
        } else if (frame[0] === 'OK' && frame[1] === authId) {
          if (frame[2] !== true) return fail(`it refused our AUTH: ${String(frame[3]).slice(0, 200)}`);
          clearTimeout(timer);
          if (this.#closed) return fail('closed meanwhile');
          this.#socket = socket;
          this.#keepAlive(socket);
          log.debug({ member: this.id, url: this.url }, 'connected to a member');
          resolve(socket);
        }
      });
    });
  }

  #keepAlive(socket: WebSocket): void {
    let alive = true;
    socket.on('pong', () => {
      alive = true;
    });
    const timer = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      socket.ping();
    }, PING_MS);
    timer.unref();
    socket.on('close', () => clearInterval(timer));
  }

  #lost(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#options.log.debug({ member: this.id, url: this.url }, 'lost the connection to a member');
    const error = new MemberUnreachableError(`the connection to ${this.url} broke`);
    const publishing = [...this.#publishing.values()].flat();
    this.#publishing.clear();
    for (const { fail } of publishing) fail(error);
    const readings = [...this.#readings.values()];
    this.#readings.clear();
    for (const reading of readings) reading.onLost(error.message);
    const reconciling = [...this.#reconciling.values()];
    this.#reconciling.clear();
    for (const { fail } of reconciling) fail(error);
  }

  #onFrame(frame: readonly unknown[], bytes: number): void {
    const [type, id] = frame;
    if (typeof id !== 'string') return;
    if (type === 'OK') {
      const waiting = this.#publishing.get(id);
      this.#publishing.delete(id);
      for (const { settle } of waiting ?? [])
        settle({ accepted: frame[2] === true, message: String(frame[3] ?? '') });
      return;
    }
    if (type === 'COVEY-NEG' || type === 'COVEY-NEG-ERR') {
      this.#reconciling.get(id)?.settle(frame);
      return;
    }
    const reading = this.#readings.get(id);
    if (!reading) return;
    if (type === 'COVEY-FILLING') reading.onFilling?.();
    else if (type === 'EVENT') reading.onEvent(frame[2], bytes);
    else if (type === 'EOSE') reading.onEose(readHint(frame[2]));
    else if (type === 'CLOSED') {
      this.#readings.delete(id);
      reading.onLost(`${this.url}: ${String(frame[2] ?? '').slice(0, 200)}`);
    }
  }

  /** Sends an event that has passed through `hops` members. @throws MemberUnreachableError */
  async publish(event: NostrEvent, hops: number): Promise<PublishAnswer> {
    const socket = await this.ready();
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.doubt(ANSWER_MS);
        fail(new MemberUnreachableError(`${this.url} did not answer an event within ${ANSWER_MS} ms`));
      }, ANSWER_MS);
      const waiting = {
        settle: (answer: PublishAnswer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        fail: (error: Error) => fail(error),
      };
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      const others = this.#publishing.get(event.id);
      if (others) others.push(waiting);
      else this.#publishing.set(event.id, [waiting]);
      socket.send(`["EVENT",${JSON.stringify(event)},{"hops":${hops}}]`);
    });
  }

  /** What the other member has stored for these filters. @throws MemberUnreachableError */
  async fetch(filters: readonly Filter[], timeoutMs: number): Promise<FetchAnswer> {
    const socket = await this.ready();
    return await new Promise((resolve, reject) => {
      const id = `f${this.#nextId++}`;
      const events: unknown[] = [];
      let bytes = 0;
      let filling = false;
      const end = () => {
        clearTimeout(timer);
        if (this.#readings.delete(id) && socket.readyState === WebSocket.OPEN)
          socket.send(JSON.stringify(['CLOSE', id]));
      };
      const timer = setTimeout(() => {
        end();
        this.doubt(ANSWER_MS);
        reject(new MemberUnreachableError(`${this.url} did not answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#readings.set(id, {
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

  /** New events for these filters until `stop` is called or the link is lost. @throws MemberUnreachableError */
  async subscribe(filters: readonly Filter[], listener: LiveListener): Promise<() => void> {
    const socket = await this.ready();
    const id = `l${this.#nextId++}`;
    this.#readings.set(id, {
      onEvent: (event) => listener.onEvent(event),
      onEose: () => {},
      onLost: () => listener.onLost(),
    });
    socket.send(req(id, filters));
    return () => {
      if (this.#readings.delete(id) && socket.readyState === WebSocket.OPEN)
        socket.send(JSON.stringify(['CLOSE', id]));
    };
  }

  /** Compares what both have of a scope. @throws MemberUnreachableError */
  async reconcile(scope: object): Promise<Reconciliation> {
    const socket = await this.ready();
    const id = `n${this.#nextId++}`;
    let opened = false;
    return {
      exchange: (message, timeoutMs) =>
        new Promise((resolve, reject) => {
          const done = () => {
            clearTimeout(timer);
            this.#reconciling.delete(id);
          };
          const fail = (error: Error) => {
            done();
            reject(error);
          };
          const timer = setTimeout(
            () => fail(new MemberUnreachableError(`${this.url} did not answer within ${timeoutMs} ms`)),
            timeoutMs,
          );
          this.#reconciling.set(id, {
            fail,
            settle: ([type, , answer, more]) => {
              done();
              const reason = String(answer);
              if (type === 'COVEY-NEG-ERR' && !reason.startsWith('blocked:'))
                return reject(new MemberUnreachableError(`${this.url}: ${reason.slice(0, 200)}`));
              resolve({
                message: reason,
                filling: (more as { filling?: unknown } | undefined)?.filling === true,
                tooMany: type === 'COVEY-NEG-ERR',
              });
            },
          });
          socket.send(
            JSON.stringify(opened ? ['COVEY-NEG', id, message] : ['COVEY-NEG', id, scope, message]),
          );
          opened = true;
        }),
      close: () => {
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(['COVEY-NEG-CLOSE', id]));
      },
    };
  }

  close(): void {
    this.#closed = true;
    const socket = this.#socket;
    if (!socket) return;
    socket.close(1000);
    // Who waits for an answer is told now; a peer that does not close in turn is not waited for.
    this.#lost(socket);
    setTimeout(() => socket.terminate(), 1000).unref();
  }
}

function req(id: string, filters: readonly Filter[]): string {
  return JSON.stringify(['REQ', id, ...filters.map(filterToJson)]);
}

function readFrame(data: WebSocket.RawData): unknown[] | undefined {
  try {
    const frame: unknown = JSON.parse(data.toString());
    return Array.isArray(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}

function readHint(hints: unknown): boolean | undefined {
  if (!Array.isArray(hints)) return undefined;
  if (hints.includes('more')) return false;
  return hints.includes('finish') ? true : undefined;
}
