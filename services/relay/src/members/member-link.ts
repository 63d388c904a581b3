import type { Filter, NostrEvent } from '@covey/nostr';
import WebSocket from 'ws';
import { LinkCounts, type MemberCount } from './link-counts.ts';
import { LinkPublishes, type PublishAnswer } from './link-publishes.ts';
import { type FetchAnswer, LinkReadings, type LiveListener } from './link-readings.ts';
import { LinkReconciliations, type Reconciliation } from './link-reconciliations.ts';
import { openMemberSocket } from './member-handshake.ts';
import { MemberUnreachableError } from './member-unreachable.ts';
import type { PlainRelay } from './plain-relay.ts';

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
  /** The epoch that this member applies; 0 for none. */
  epoch: () => number;
  /** Called with every answer to a probe. */
  onProbeAnswer: (member: string, frame: readonly unknown[]) => void;
  /** Called when the member says that events for this one wait there. */
  onBehind: (member: string) => void;
  /** Called when a connection that could be used has broken. */
  onLost: (member: string) => void;
}

const BACKOFF_MS_MIN = 200;
/** Two members that both wait to try again know nothing of each other meanwhile, and each goes on as if alone. */
const BACKOFF_MS_MAX = 4_000;
const PING_MS = 10_000;
const NEGENTROPY_FRAME = /^(COVEY-NEG|COVEY-NEG-ERR|NEG-MSG|NEG-ERR)$/;

/**
 * The connection to one other member: opened when it is needed, authenticated by NIP-42, reopened with backoff. Whoever
 * uses it decides what to do when it can't be reached.
 */
export class MemberLink {
  readonly id: string;
  readonly url: string;
  readonly #options: LinkOptions;
  #socket: WebSocket | undefined;
  /** The answer to a ping that is under way. */
  #pong: Promise<unknown> | undefined;
  /** Set while it is connected to a relay that is no reference member. */
  #plain: PlainRelay | undefined;
  #opening: Promise<WebSocket> | undefined;
  #failures = 0;
  #retryAtMs = 0;
  #doubtedUntilMs = 0;
  #closed = false;
  readonly #publishes: LinkPublishes;
  readonly #readings: LinkReadings;
  readonly #reconciliations: LinkReconciliations;
  readonly #counts: LinkCounts;

  constructor(id: string, url: string, options: LinkOptions) {
    this.id = id;
    this.url = url;
    this.#options = options;
    const doubt = (ms: number) => this.doubt(ms);
    this.#publishes = new LinkPublishes(url, doubt);
    this.#readings = new LinkReadings(url, doubt);
    this.#reconciliations = new LinkReconciliations(url);
    this.#counts = new LinkCounts(url);
  }

  /** It is connected, and no reference member: a relay with a gateway beside it. */
  get isPlain(): boolean {
    return this.#plain !== undefined;
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
    const startedAtMs = this.#options.clock();
    this.#opening = this.#open();
    try {
      const socket = await this.#opening;
      this.#failures = 0;
      return socket;
    } catch (error) {
      const { clock, random } = this.#options;
      const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#failures++);
      // What took long to fail would hold up others as long again: not sooner than it took.
      const waitMs = Math.max(ceiling * (0.5 + random() / 2), clock() - startedAtMs);
      this.#retryAtMs = clock() + waitMs;
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  async #open(): Promise<WebSocket> {
    const { log } = this.#options;
    const { socket, plain } = await openMemberSocket({
      ...this.#options,
      id: this.id,
      url: this.url,
      onFrame: (frame, bytes) => this.#onFrame(frame, bytes),
    });
    if (this.#closed) {
      socket.terminate();
      throw new MemberUnreachableError(`${this.url}: closed meanwhile`);
    }
    if (socket.readyState !== WebSocket.OPEN) throw new MemberUnreachableError(`${this.url}: closed at once`);
    this.#socket = socket;
    this.#plain = plain;
    socket.on('close', () => this.#lost(socket));
    this.#keepAlive(socket);
    this.tellEpoch();
    log.debug({ member: this.id, url: this.url, plain: plain !== undefined }, 'connected to a member');
    return socket;
  }

  /** What is asked from now on is asked by this epoch: a member with an older table knows then that it may lack something. */
  tellEpoch(): void {
    if (this.#socket && !this.#plain)
      this.#socket.send(JSON.stringify(['COVEY-EPOCH', this.#options.epoch()]));
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
    this.#plain = undefined;
    this.#options.log.debug({ member: this.id, url: this.url }, 'lost the connection to a member');
    const error = new MemberUnreachableError(`the connection to ${this.url} broke`);
    this.#publishes.lost(error);
    this.#readings.lost(error);
    this.#reconciliations.lost(error);
    this.#counts.lost(error);
    if (!this.#closed) this.#options.onLost(this.id);
  }

  #onFrame(frame: readonly unknown[], bytes: number): void {
    const [type, id] = frame;
    if (type === 'COVEY-PROBE-ACK' || type === 'COVEY-PROBE-NACK') {
      this.#options.onProbeAnswer(this.id, frame);
      return;
    }
    if (type === 'COVEY-BEHIND') {
      this.#options.onBehind(this.id);
      return;
    }
    if (typeof id !== 'string') return;
    if (type === 'OK') this.#publishes.onOk(id, frame[2], frame[3]);
    else if (NEGENTROPY_FRAME.test(String(type))) this.#reconciliations.onFrame(id, frame);
    else if ((type === 'COUNT' || type === 'CLOSED') && this.#counts.onFrame(type, id, frame[2])) return;
    else this.#readings.onFrame(type, id, frame[2], bytes);
  }

  /**
   * Sends a probe; its answer comes by `onProbeAnswer`. A plain relay knows no probes: it is pinged.
   * @returns true when it is one, and has answered @throws MemberUnreachableError
   */
  async probe(frame: string): Promise<boolean> {
    const socket = await this.ready();
    if (!this.#plain) {
      socket.send(frame);
      return false;
    }
    this.#pong ??= new Promise<void>((resolve, reject) => {
      const end = () => {
        socket.off('pong', answered);
        socket.off('close', closed);
      };
      const answered = () => {
        end();
        resolve();
      };
      const closed = () => {
        end();
        reject(new MemberUnreachableError(`${this.url} closed`));
      };
      socket.on('pong', answered);
      socket.on('close', closed);
    });
    socket.ping();
    await this.#pong.finally(() => {
      this.#pong = undefined;
    });
    return true;
  }

  /** Sends an event that has passed through `hops` members. @throws MemberUnreachableError */
  async publish(event: NostrEvent, hops: number): Promise<PublishAnswer> {
    const socket = await this.ready();
    return await this.#publishes.publish(socket, event, this.#plain ? undefined : hops);
  }

  /** What the other member has stored for these filters. @throws MemberUnreachableError */
  async fetch(filters: readonly Filter[], timeoutMs: number): Promise<FetchAnswer> {
    const socket = await this.ready();
    const fetch = () => this.#readings.fetch(socket, filters, timeoutMs);
    return await (this.#plain ? this.#plain.fetch(fetch) : fetch());
  }

  /** How many events the other member has for a filter (NIP-45). @throws MemberUnreachableError */
  async count(filter: Filter, timeoutMs: number): Promise<MemberCount> {
    return await this.#counts.count(await this.ready(), filter, timeoutMs);
  }

  /** New events for these filters until `stop` is called or the link is lost. @throws MemberUnreachableError */
  async subscribe(filters: readonly Filter[], listener: LiveListener): Promise<() => void> {
    const socket = await this.ready();
    if (!this.#plain) return this.#readings.subscribe(socket, filters, listener);
    const giveBack = this.#plain.takeLive();
    if (!giveBack) throw new MemberUnreachableError(`${this.url} allows no further subscription`);
    const onLost = () => {
      giveBack();
      listener.onLost();
    };
    const stop = this.#readings.subscribe(socket, filters, {
      ...listener,
      onEvent: listener.onEvent,
      onLost,
    });
    return () => {
      giveBack();
      stop();
    };
  }

  /** Compares what both have of a scope. @throws MemberUnreachableError */
  async reconcile(scope: object): Promise<Reconciliation> {
    const socket = await this.ready();
    if (this.#plain && !this.#plain.compares)
      throw new MemberUnreachableError(`${this.url} can't compare what it holds (no NIP-77)`);
    return this.#reconciliations.open(socket, scope, this.#plain !== undefined);
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
