import type { NatsLink } from '@covey/nats';
import { type Ack, type Heartbeat, MIRRORED_ACCOUNTS_MAX, type Mirrored, subjectsOf } from '@covey/protocol';
import type { Relay } from './relay.ts';
import { SOFTWARE, VERSION } from './software.ts';
import type { AppliedTable } from './table-source.ts';

const HEARTBEAT_MS = 2000;
/** What is mirrored is said with every so many heartbeats: every 30 s, or 10 s when it has changed. */
const MIRRORED_BEATS = 15;
const MIRRORED_CHANGE_BEATS = 5;

export interface AnnouncerOptions {
  relay: Pick<Relay, 'pubkey' | 'epoch' | 'load' | 'filling' | 'verdicts' | 'mirrored'>;
  link: Pick<NatsLink, 'publish'> & { onConnect(listener: () => void): () => void };
  cluster: string;
  /** Unix milliseconds. */
  clock: () => number;
}

/**
 * Tells the coordinator over NATS what this member applies, refuses and carries. Nothing waits for NATS: a heartbeat that
 * can't be sent is dropped, and the last acknowledgement is said again on
 * every connect, as is a refusal after it.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #startedAtMs: number;
  #sequence = 0;
  #mirroredSaid = { list: [] as readonly unknown[], beat: Number.NEGATIVE_INFINITY };
  #lastAck: Ack | undefined;
  /** Since the last acknowledgement. */
  #lastRefusal: Ack | undefined;
  #timer: NodeJS.Timeout | undefined;
  #before = { atMs: 0, accepted: 0, sent: 0 };
  #stopListening: (() => void) | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock();
  }

  start(): void {
    this.#stopListening = this.#options.link.onConnect(() => {
      if (this.#lastAck) this.#send(this.#lastAck);
      if (this.#lastRefusal) this.#send(this.#lastRefusal);
      this.#beat();
    });
    this.#timer = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#timer.unref();
  }

  applied({ table }: Pick<AppliedTable, 'table'>): void {
    const { relay, clock } = this.#options;
    this.#lastAck = { member: relay.pubkey, epoch: table.epoch, root: table.root, atMs: clock() };
    this.#lastRefusal = undefined;
    this.#send(this.#lastAck);
    this.#beat();
  }

  /** @param root '' when not even that could be read */
  refused({ epoch, root, error }: { epoch: number; root: string; error: Error }): void {
    const { relay, clock } = this.#options;
    this.#lastRefusal = {
      member: relay.pubkey,
      epoch,
      root: root || '0'.repeat(64),
      atMs: clock(),
      error: error.message.slice(0, 512),
      lastGoodEpoch: relay.epoch,
    };
    this.#send(this.#lastRefusal);
  }

  #send(ack: Ack): void {
    const { relay, link, cluster } = this.#options;
    link.publish(subjectsOf(cluster).ack(relay.pubkey), ack);
  }

  #beat(): void {
    const { relay, link, cluster, clock } = this.#options;
    const atMs = clock();
    const { accepted, sent, ...load } = relay.load();
    const filling = relay.filling();
    const seconds = Math.max(0.001, (atMs - this.#before.atMs) / 1000);
    const heartbeat: Heartbeat = {
      member: relay.pubkey,
      startedAtMs: this.#startedAtMs,
      sequence: this.#sequence++,
      epoch: relay.epoch,
      software: `${SOFTWARE}/${VERSION}`,
      load: {
        ...load,
        writesPerSecond: (accepted - this.#before.accepted) / seconds,
        readsPerSecond: (sent - this.#before.sent) / seconds,
      },
      filling: filling.groups,
      ...(filling.more ? { fillingMore: true } : {}),
    };
    const verdicts = relay.verdicts();
    if (verdicts) heartbeat.verdicts = verdicts;
    this.#before = { atMs, accepted, sent };
    link.publish(subjectsOf(cluster).heartbeat(relay.pubkey), heartbeat);
    this.#sayMirrored(heartbeat.sequence, atMs);
  }

  /** Also that nothing is mirrored any more, once. */
  #sayMirrored(beat: number, atMs: number): void {
    const { relay, link, cluster } = this.#options;
    const list = relay.mirrored();
    const said = this.#mirroredSaid;
    if (list.length === 0 && said.list.length === 0) return;
    if (beat - said.beat < (list === said.list ? MIRRORED_BEATS : MIRRORED_CHANGE_BEATS)) return;
    this.#mirroredSaid = { list, beat };
    const accounts = list
      .slice(0, MIRRORED_ACCOUNTS_MAX)
      .map(({ pubkey, since }): [string, number] => [pubkey, since]);
    const mirrored: Mirrored = { member: relay.pubkey, atMs, accounts };
    link.publish(subjectsOf(cluster).mirrored(relay.pubkey), mirrored);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopListening?.();
  }
}
