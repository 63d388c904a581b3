import { isHex64 } from '@covey/nostr';
import { parseAnnouncement } from '@covey/protocol';
import type WebSocket from 'ws';
import { RefusedAuthError } from './auth.ts';
import { AnnouncedClient } from './clients/announced-client.ts';
import { BadFrameError, type ClientFrame, closed, idInText, notice, ok, parseFrame } from './frames.ts';
import type { RepairServer } from './members/repair-server.ts';
import { NegentropySessions } from './negentropy-sessions.ts';
import { DONE, Outbound } from './outbound.ts';
import { ProvenKeys } from './proven-keys.ts';
import type { SessionContext } from './session-context.ts';
import { SessionSubscriptions } from './session-subscriptions.ts';
import { type Line, WHOLE_TURN } from './turns.ts';

/** Messages of one connection that wait for their turn before it is no longer read. */
const WAITING = { waitingMax: 64, bytesMax: 1024 * 1024 };
/** EVENT and CLOSE messages up to this size are little work. */
const LITTLE_BYTES = 4096;
/** Larger than any probe. */
const PROBE_BYTES_MAX = 32 * 1024;

/** One connection: reads its frames, keeps its subscriptions, and knows who it has proved to be. */
export class Session {
  readonly #context: SessionContext;
  readonly #outbound: Outbound;
  readonly #line: Line;
  readonly #proven: ProvenKeys;
  readonly #subscriptions: SessionSubscriptions;
  #negentropy: NegentropySessions | undefined;
  #writing = 0;
  #greeted = false;
  #lastAnswer: Promise<unknown> = DONE;
  #repair: RepairServer | undefined;
  /** Unix milliseconds. */
  lastHeardMs: number;
  /** Whether it answered the last ping. */
  alive = true;

  constructor(socket: WebSocket, context: SessionContext) {
    this.#context = context;
    this.lastHeardMs = context.clock();
    this.#outbound = new Outbound(socket, context.limits, context.onSlowReader);
    this.#proven = new ProvenKeys(context, this.#outbound);
    this.#subscriptions = new SessionSubscriptions(context, this.#outbound, this.#proven);
    this.#line = context.turns.line(WAITING, socket);
    socket.on('message', (data, isBinary) => {
      this.lastHeardMs = context.clock();
      const message = data as Buffer;
      // Whether this member is alive does not wait for its turn behind what it has to do.
      const isUrgent = this.#proven.member === undefined ? this.#isGreeting(message) : isProbe(message);
      if (!isBinary && isUrgent) this.#onMessage(message, false);
      else this.#line.add(() => this.#onMessage(message, isBinary), weightOf(message), message.length);
    });
  }

  /** The first word of another member, which waits for the answer before it can say anything else; once a connection. */
  #isGreeting(message: Buffer): boolean {
    if (
      this.#greeted ||
      message.length > PROBE_BYTES_MAX ||
      !message.subarray(0, 16).includes('COVEY-MEMBER')
    )
      return false;
    this.#greeted = true;
    return true;
  }

  get subscriptions(): number {
    return this.#subscriptions.size;
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
        this.#subscriptions.open(frame.subscription, frame.filters);
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
        this.#subscriptions.drop(frame.subscription);
        break;
      case 'AUTH':
        this.#authenticate(frame.event);
        break;
      case 'COVEY':
        this.#announce(frame.frame);
        break;
      case 'MEMBER':
        this.#outbound.send(JSON.stringify(['COVEY-MEMBER', this.#context.clusterField().member]));
        this.#proven.challenge();
        break;
      case 'REPAIR':
        void this.#answerRepair(frame.frame);
        break;
      case 'PROBE':
        this.#answerProbe(frame.frame);
        break;
      case 'EPOCH':
        this.#takeEpoch(frame.epoch);
        break;
    }
  }

  #badFrame({ message, subscription }: BadFrameError): void {
    if (subscription === undefined) {
      this.#bad(message);
      return;
    }
    this.#context.metrics.badFrames.inc();
    this.#subscriptions.drop(subscription);
    this.#outbound.send(closed(subscription, `invalid: ${message}`));
  }

  /** What a client may send, a member may forward: with its own words around it. */
  get #frameBytesMax(): number {
    const { frameBytesMax } = this.#context.limits;
    return this.#proven.member ? 2 * frameBytesMax : frameBytesMax;
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
      member: this.#proven.member,
      hops,
      announced: this.#subscriptions.announced?.options.redirects === true,
      authenticated: this.#proven.keys,
    });
    // Answers go out in the order of what they answer; `publish` never rejects.
    const turn = this.#lastAnswer.then(() => answering);
    this.#lastAnswer = turn;
    const answer = await turn;
    if (this.#writing-- === limits.writesInFlightMax) this.#line.release();
    if (answer.accepted) this.#subscriptions.announced?.wrote((value as { pubkey: string }).pubkey);
    if (answer.id === undefined) {
      this.#outbound.send(notice(answer.message));
      return;
    }
    if (answer.message.startsWith('auth-required:')) this.#proven.challenge();
    this.#outbound.send(ok(answer.id, answer.accepted, answer.message));
  }

  async #count(id: string, filters: Parameters<SessionSubscriptions['open']>[1]): Promise<void> {
    const refusal = this.#proven.refusal(filters);
    if (refusal !== undefined) {
      this.#outbound.send(closed(id, refusal));
      return;
    }
    const { counts, reads } = this.#context;
    try {
      const answer = await counts.count(filters, this.#proven.member !== undefined, this.#proven.mayRead);
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
      mayRead: this.#proven.mayRead,
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

  #authenticate(value: unknown): void {
    const id = (value as { id?: unknown } | null | undefined)?.id;
    const answer = (accepted: boolean, message: string) => {
      if (isHex64(id)) this.#outbound.send(ok(id, accepted, message));
      else this.#bad(message.replace(/^invalid: /, ''));
    };
    try {
      this.#proven.prove(value);
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
    this.#subscriptions.announced = new AnnouncedClient(options, this.#outbound, batches, enforcer(), clock);
    this.#outbound.send(JSON.stringify(['COVEY', { ...clusterField(), options }]));
    this.#proven.challenge(); // who proves who it is, is told of its own account's moves
  }

  /** Another member asks whether this one, or a third, is alive. */
  #answerProbe(frame: readonly unknown[]): void {
    const { member } = this.#proven;
    if (member === undefined) this.#outbound.send(notice('restricted: probes are between members'));
    else if (!this.#context.probed(frame, member, (answer) => this.#outbound.send(answer)))
      this.#bad('a probe is ["COVEY-PROBE", number, rumours, member?]');
  }

  /** Another member says which epoch it applies, before what it asks by it. */
  #takeEpoch(epoch: unknown): void {
    const { member } = this.#proven;
    if (member === undefined) this.#outbound.send(notice('restricted: epochs are told between members'));
    else if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch < 0)
      this.#bad('an epoch is ["COVEY-EPOCH", number]');
    else {
      this.#subscriptions.askerEpoch = epoch;
      this.#context.toldEpoch(epoch, member);
    }
  }

  /** Another member compares what both hold. */
  async #answerRepair(frame: readonly unknown[]): Promise<void> {
    this.#repair ??= this.#context.repairServer();
    try {
      const answer = await this.#repair.answer(frame, this.#proven.member);
      if (answer) this.#outbound.send(JSON.stringify(answer));
    } catch (error) {
      this.#context.reads.report(error);
      this.#outbound.send(
        JSON.stringify(['COVEY-NEG-ERR', frame[1], 'error: this relay could not read its store']),
      );
    }
  }

  /** Under a new table. */
  reroute(): void {
    this.#subscriptions.reroute();
  }

  /** Says where to go on, to a client that understands it. @returns the code to close with */
  farewell(): 1001 | 1012 {
    const { announced } = this.#subscriptions;
    if (!announced || this.#proven.member) return 1001;
    const { enforcer, clusterField } = this.#context;
    announced.tellLeaving(this.#subscriptions.all(), this.#proven.keys, enforcer(), clusterField().member);
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
    const { member } = this.#proven;
    if (member) this.#context.links.onLeft(member);
    this.#negentropy?.end();
    this.#repair?.end();
    this.#subscriptions.end();
  }
}

function isProbe(message: Buffer): boolean {
  return message.length <= PROBE_BYTES_MAX && message.subarray(0, 16).includes('COVEY-PROBE');
}

/** A message's part of a turn, told from its first letters: a REQ may look through much of the store. */
function weightOf(message: Buffer): number {
  const start = message.subarray(0, 8);
  const isLittle = message.length <= LITTLE_BYTES && (start.includes('EVENT') || start.includes('CLOSE'));
  return isLittle ? 1 : WHOLE_TURN;
}
