import { randomBytes } from 'node:crypto';
import type { Enforcer } from '@covey/enforcement';
import { isHex64 } from '@covey/nostr';
import { type ClusterField, parseAnnouncement } from '@covey/protocol';
import type WebSocket from 'ws';
import { checkAuth, RefusedAuthError } from './auth.ts';
import { AnnouncedClient } from './clients/announced-client.ts';
import type { EventBatches } from './clients/event-batches.ts';
import type { Counts } from './counts.ts';
import { BadFrameError, type ClientFrame, closed, idInText, notice, ok, parseFrame } from './frames.ts';
import type { Limits } from './limits.ts';
import type { LiveIndex } from './live-index.ts';
import type { MemberLinks } from './members/member-links.ts';
import type { RepairServer } from './members/repair-server.ts';
import type { RelayMetrics } from './metrics.ts';
import { type NegentropyBudget, NegentropySessions } from './negentropy-sessions.ts';
import { Outbound } from './outbound.ts';
import type { ReadPath } from './read-path.ts';
import { ReaderRights } from './reader-rights.ts';
import type { EventStore } from './store/event-store.ts';
import { Subscription } from './subscription.ts';
import { type Line, type Turns, WHOLE_TURN } from './turns.ts';
import type { WritePath } from './write-path.ts';

/** What all connections of a relay share. */
export interface SessionContext {
  limits: Limits;
  writes: WritePath;
  reads: ReadPath;
  counts: Counts;
  store: EventStore;
  negentropyBudget: NegentropyBudget;
  /** Kinds that only those may read whom an event is for. */
  authKinds: readonly number[];
  live: LiveIndex;
  batches: EventBatches;
  turns: Turns;
  links: MemberLinks;
  repairServer: () => RepairServer;
  enforcer: () => Enforcer;
  clusterField: () => ClusterField;
  relayUrl: () => string;
  metrics: RelayMetrics;
  /** Unix milliseconds. */
  clock: () => number;
}

/** Subscriptions that a member may keep here: it asks for all its clients. */
const MEMBER_SUBSCRIPTIONS_MAX = 10_000;
/** Pubkeys that one connection may authenticate. */
const KEYS_MAX = 16;
/** Messages of one connection that wait for their turn before it is no longer read. */
const MESSAGES_WAITING_MAX = 64;
const MESSAGES_BYTES_MAX = 1024 * 1024;
/** EVENT and CLOSE messages up to this size are little work. */
const LITTLE_BYTES = 4096;

/** One connection: reads its frames, keeps its subscriptions, and knows who it has proved to be. */
export class Session {
  readonly #context: SessionContext;
  readonly #outbound: Outbound;
  readonly #line: Line;
  readonly #challenge = randomBytes(16).toString('hex');
  readonly #keys = new Set<string>();
  readonly #rights: ReaderRights;
  #negentropy: NegentropySessions | undefined;
  readonly #subscriptions = new Map<string, Subscription>();
  #announced: AnnouncedClient | undefined;
  #writing = 0;
  #lastAnswer: Promise<unknown> = Promise.resolve();
  #repair: RepairServer | undefined;
  #closed = false;
  /** Unix milliseconds. */
  lastHeardMs: number;

  constructor(socket: WebSocket, context: SessionContext) {
    this.#context = context;
    this.lastHeardMs = context.clock();
    this.#rights = new ReaderRights(context.authKinds, this.#keys);
    this.#outbound = new Outbound(socket, context.limits, () =>
      context.metrics.cut.inc({ reason: 'slow reader' }),
    );
    this.#line = context.turns.line({
      waitingMax: MESSAGES_WAITING_MAX,
      bytesMax: MESSAGES_BYTES_MAX,
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    });
    socket.on('message', (data, isBinary) => {
      this.lastHeardMs = context.clock();
      const message = data as Buffer;
      this.#line.add(() => this.#onMessage(message, isBinary), weightOf(message), message.length);
    });
    this.#outbound.send(JSON.stringify(['AUTH', this.#challenge]));
  }

  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** Id of the member that this connection has proved to be, under the table of this moment. */
  get member(): string | undefined {
    for (const key of this.#keys) if (this.#context.links.has(key)) return key;
    return undefined;
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    const { limits } = this.#context;
    if (isBinary) this.#bad('messages are text, not binary');
    else if (data.length > this.#frameBytesMax) this.#oversized(data);
    else {
      try {
        this.#act(parseFrame(data.toString(), limits));
      } catch (error) {
        if (!(error instanceof BadFrameError)) throw error;
        this.#badFrame(error);
      }
    }
  }

  #act(frame: ClientFrame): void {
    switch (frame.type) {
      case 'EVENT':
        void this.#publish(frame.event, frame.hops);
        break;
      case 'REQ':
        this.#subscribe(frame.subscription, frame.filters);
        break;
      case 'COUNT':
        void this.#count(frame.subscription, frame.filters);
        break;
      case 'NEG-OPEN':
        void this.#openNegentropy(frame.subscription, frame.filter, frame.message);
        break;
      case 'NEG-MSG':
        this.#negentropySessions.message(frame.subscription, frame.message);
        break;
      case 'NEG-CLOSE':
        this.#negentropy?.close(frame.subscription);
        break;
      case 'CLOSE':
        this.#drop(frame.subscription);
        break;
      case 'AUTH':
        this.#authenticate(frame.event);
        break;
      case 'COVEY':
        this.#announce(frame.frame);
        break;
      case 'REPAIR':
        void this.#answerRepair(frame.frame);
        break;
    }
  }

  #badFrame({ message, subscription }: BadFrameError): void {
    if (subscription === undefined) {
      this.#bad(message);
      return;
    }
    this.#context.metrics.badFrames.inc();
    this.#drop(subscription);
    this.#outbound.send(closed(subscription, `invalid: ${message}`));
  }

  /** What a client may send, a member may forward: with its own words around it. */
  get #frameBytesMax(): number {
    const { frameBytesMax } = this.#context.limits;
    return this.member ? 2 * frameBytesMax : frameBytesMax;
  }

  #bad(message: string): void {
    this.#context.metrics.badFrames.inc();
    this.#outbound.send(notice(`invalid: ${message}`));
  }

  /** Not parsed: its size alone is the reason. The connection lives. */
  #oversized(data: Buffer): void {
    this.#context.metrics.badFrames.inc();
    const reason = `invalid: the message has ${data.length} bytes; this relay reads ${this.#context.limits.frameBytesMax}`;
    const id = idInText(data.toString());
    this.#outbound.send(id ? ok(id, false, reason) : notice(reason));
  }

  async #publish(value: unknown, hops: number | undefined): Promise<void> {
    const { writes, limits } = this.#context;
    if (++this.#writing >= limits.writesInFlightMax) this.#line.hold();
    const answering = writes.publish(value, {
      member: this.member,
      hops,
      announced: this.#announced?.options.redirects === true,
      authenticated: this.#keys,
    });
    // Answers go out in the order of what they answer; `publish` never rejects.
    const turn = this.#lastAnswer.then(() => answering);
    this.#lastAnswer = turn;
    const answer = await turn;
    if (this.#writing-- === limits.writesInFlightMax) this.#line.release();
    if (answer.accepted && this.#announced) this.#announced.wrote((value as { pubkey: string }).pubkey);
    if (answer.id === undefined) {
      this.#outbound.send(notice(answer.message));
      return;
    }
    if (answer.message.startsWith('auth-required:'))
      this.#outbound.send(JSON.stringify(['AUTH', this.#challenge]));
    this.#outbound.send(ok(answer.id, answer.accepted, answer.message));
  }

  #subscribe(id: string, asked: Subscription['filters']): void {
    const { limits, live, reads, metrics, enforcer } = this.#context;
    this.#drop(id);
    if (this.#closed) return;
    const client = this.member ? undefined : this.#announced;
    const filters = client?.narrow(asked) ?? asked;
    const most = this.member ? MEMBER_SUBSCRIPTIONS_MAX : limits.subscriptionsMax;
    if (this.#subscriptions.size >= most) {
      this.#outbound.send(
        closed(id, `rate-limited: ${most} subscriptions are open on this connection; close one first`),
      );
      return;
    }
    if (this.#refuses(id, filters)) return;
    const named = client?.name({ id, filters }, enforcer());
    if (named === 'all') return;
    const subscription = new Subscription(
      id,
      filters,
      this.#outbound,
      () => metrics.countSent(),
      client?.outputFor(id, filters),
    );
    subscription.mayRead = this.#mayRead;
    this.#subscriptions.set(id, subscription);
    live.add(subscription);
    void reads
      .serve(subscription, this.#outbound, this.member !== undefined, named === 'some')
      .catch((error) => {
        reads.report(error);
        if (this.#subscriptions.get(id) !== subscription) return;
        this.#drop(id);
        this.#outbound.send(closed(id, 'error: this relay could not read its store'));
      });
  }

  /** What this connection may read; undefined for everything. Members ask for their clients, and do the withholding. */
  get #mayRead(): ((json: string) => boolean) | undefined {
    return this.member ? undefined : this.#rights.mayRead;
  }

  /** Says so when filters ask for what this connection may not read. */
  #refuses(id: string, filters: Subscription['filters']): boolean {
    const reason = this.member ? undefined : this.#rights.refusal(filters);
    if (reason === undefined) return false;
    if (reason.startsWith('auth-required:')) this.#outbound.send(JSON.stringify(['AUTH', this.#challenge]));
    this.#outbound.send(closed(id, reason));
    return true;
  }

  async #count(id: string, filters: Subscription['filters']): Promise<void> {
    if (this.#refuses(id, filters)) return;
    const { counts, reads } = this.#context;
    try {
      const answer = await counts.count(filters, this.member !== undefined, this.#mayRead);
      this.#outbound.send(JSON.stringify(['COUNT', id, answer]));
    } catch (error) {
      reads.report(error);
      this.#outbound.send(closed(id, 'error: this relay could not read its store'));
    }
  }

  get #negentropySessions(): NegentropySessions {
    const { store, limits, negentropyBudget: budget, clock } = this.#context;
    this.#negentropy ??= new NegentropySessions({
      store,
      limits,
      budget,
      clock,
      mayRead: this.#mayRead,
      send: (frame) => this.#outbound.send(frame),
    });
    return this.#negentropy;
  }

  async #openNegentropy(id: string, filter: unknown, message: unknown): Promise<void> {
    try {
      await this.#negentropySessions.open(id, filter, message);
    } catch (error) {
      this.#context.reads.report(error);
      this.#negentropy?.close(id);
      this.#outbound.send(JSON.stringify(['NEG-ERR', id, 'error: this relay could not read its store']));
    }
  }

  #drop(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    this.#subscriptions.delete(id);
    this.#announced?.forget(id);
    this.#context.live.remove(subscription);
    subscription.close();
  }

  #authenticate(value: unknown): void {
    const id = (value as { id?: unknown } | null | undefined)?.id;
    const answer = (accepted: boolean, message: string) => {
      if (isHex64(id)) this.#outbound.send(ok(id, accepted, message));
      else this.#bad(message.replace(/^invalid: /, ''));
    };
    try {
      const now = Math.floor(this.#context.clock() / 1000);
      const { pubkey } = checkAuth(value, this.#challenge, this.#context.relayUrl(), now, (key) =>
        this.#context.links.has(key),
      );
      if (this.#keys.size >= KEYS_MAX)
        throw new RefusedAuthError(`restricted: ${KEYS_MAX} keys are authenticated on this connection`);
      this.#keys.add(pubkey);
      this.#context.links.heard(pubkey);
      answer(true, '');
    } catch (error) {
      if (!(error instanceof RefusedAuthError)) throw error;
      answer(false, error.message);
    }
  }

  /** A client that understands placement says so, and is told which cluster and epoch it talks to, and what it gets. */
  #announce(frame: readonly unknown[]): void {
    const announcement = parseAnnouncement(frame);
    if (!announcement) {
      this.#bad('an announcement is ["COVEY",{"version":1}], with options of the right types');
      return;
    }
    const { batches, enforcer, clock, clusterField } = this.#context;
    const { options } = announcement;
    this.#announced = new AnnouncedClient(options, this.#outbound, batches, enforcer(), clock);
    this.#outbound.send(JSON.stringify(['COVEY', { ...clusterField(), options }]));
  }

  /** Another member compares what both hold. */
  async #answerRepair(frame: readonly unknown[]): Promise<void> {
    this.#repair ??= this.#context.repairServer();
    try {
      const answer = await this.#repair.answer(frame, this.member);
      if (answer) this.#outbound.send(JSON.stringify(answer));
    } catch (error) {
      this.#context.reads.report(error);
      this.#outbound.send(
        JSON.stringify(['COVEY-NEG-ERR', frame[1], 'error: this relay could not read its store']),
      );
    }
  }

  /** Under a new table, subscriptions whose accounts live elsewhere now are taken up there. */
  reroute(): void {
    if (this.#closed || this.member) return;
    const { reads, enforcer, clusterField } = this.#context;
    const client = this.#announced;
    client?.tellMoved(this.#subscriptions.values(), this.#keys, enforcer(), clusterField());
    for (const subscription of [...this.#subscriptions.values()])
      if (!client?.options.redirects) reads.reroute(subscription);
      else if (client.name(subscription, enforcer()) === 'all') this.#drop(subscription.id);
  }

  /** Says where to go on, to a client that understands it. @returns the code to close with */
  farewell(): 1001 | 1012 {
    if (!this.#announced || this.member) return 1001;
    const { enforcer, clusterField } = this.#context;
    this.#announced.tellLeaving(this.#subscriptions.values(), this.#keys, enforcer(), clusterField().member);
    return 1012;
  }

  /** Bytes that wait for its reader. */
  get waitingBytes(): number {
    return this.#outbound.waiting;
  }

  /** Ends it because its reader is too slow. */
  cut(): void {
    this.#outbound.cut();
  }

  /** Whether a connection without subscription has been silent for too long. */
  idle(nowMs: number): boolean {
    return this.#subscriptions.size === 0 && nowMs - this.lastHeardMs > this.#context.limits.idleMs;
  }

  end(): void {
    this.#closed = true;
    if (this.member) this.#context.links.onLeft(this.member);
    this.#negentropy?.end();
    this.#repair?.end();
    for (const id of [...this.#subscriptions.keys()]) this.#drop(id);
  }
}

/** A message's part of a turn, told from its first letters: a REQ may look through much of the store. */
function weightOf(message: Buffer): number {
  const start = message.subarray(0, 8);
  const isLittle = message.length <= LITTLE_BYTES && (start.includes('EVENT') || start.includes('CLOSE'));
  return isLittle ? 1 : WHOLE_TURN;
}
