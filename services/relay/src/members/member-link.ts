import { type Filter, isPrivateRelayUrl, type NostrEvent } from '@covey/nostr';
import WebSocket from 'ws';
import { signAuth } from '../auth.ts';
import { LinkPublishes, type PublishAnswer } from './link-publishes.ts';
import { type FetchAnswer, LinkReadings, type LiveListener } from './link-readings.ts';
import { LinkReconciliations, type Reconciliation } from './link-reconciliations.ts';
import { MemberUnreachableError } from './member-unreachable.ts';
import { publicLookup } from './public-lookup.ts';

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
  /** Called with every answer to a probe. */
  onProbeAnswer: (member: string, frame: readonly unknown[]) => void;
  /** Called when a connection that could be used has broken. */
  onLost: (member: string) => void;
}

const BACKOFF_MS_MIN = 200;
const BACKOFF_MS_MAX = 15_000;
const PING_MS = 10_000;
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
  #closed = false;
  readonly #publishes: LinkPublishes;
  readonly #readings: LinkReadings;
  readonly #reconciliations: LinkReconciliations;

  constructor(id: string, url: string, options: LinkOptions) {
    this.id = id;
    this.url = url;
    this.#options = options;
    const doubt = (ms: number) => this.doubt(ms);
    this.#publishes = new LinkPublishes(url, doubt);
    this.#readings = new LinkReadings(url, doubt);
    this.#reconciliations = new LinkReconciliations(url);
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
    this.#publishes.lost(error);
    this.#readings.lost(error);
    this.#reconciliations.lost(error);
    if (!this.#closed) this.#options.onLost(this.id);
  }

  #onFrame(frame: readonly unknown[], bytes: number): void {
    const [type, id] = frame;
    if (type === 'COVEY-PROBE-ACK' || type === 'COVEY-PROBE-NACK') {
      this.#options.onProbeAnswer(this.id, frame);
      return;
    }
    if (typeof id !== 'string') return;
    if (type === 'OK') this.#publishes.onOk(id, frame[2], frame[3]);
    else if (type === 'COVEY-NEG' || type === 'COVEY-NEG-ERR') this.#reconciliations.onFrame(id, frame);
    else this.#readings.onFrame(type, id, frame[2], bytes);
  }

  /** Sends a message whose answer is no matter of this link. @throws MemberUnreachableError */
  async send(frame: string): Promise<void> {
    (await this.ready()).send(frame);
  }

  /** Sends an event that has passed through `hops` members. @throws MemberUnreachableError */
  async publish(event: NostrEvent, hops: number): Promise<PublishAnswer> {
    return await this.#publishes.publish(await this.ready(), event, hops);
  }

  /** What the other member has stored for these filters. @throws MemberUnreachableError */
  async fetch(filters: readonly Filter[], timeoutMs: number): Promise<FetchAnswer> {
    return await this.#readings.fetch(await this.ready(), filters, timeoutMs);
  }

  /** New events for these filters until `stop` is called or the link is lost. @throws MemberUnreachableError */
  async subscribe(filters: readonly Filter[], listener: LiveListener): Promise<() => void> {
    return this.#readings.subscribe(await this.ready(), filters, listener);
  }

  /** Compares what both have of a scope. @throws MemberUnreachableError */
  async reconcile(scope: object): Promise<Reconciliation> {
    return this.#reconciliations.open(await this.ready(), scope);
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

function readFrame(data: WebSocket.RawData): unknown[] | undefined {
  try {
    const frame: unknown = JSON.parse(data.toString());
    return Array.isArray(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}
