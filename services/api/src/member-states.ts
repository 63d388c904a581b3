import type { Ack, Heartbeat, Load } from '@covey/protocol';

/** How a member looks from here: `unknown` when this API itself cannot hear (NATS is away) or has only begun to listen. */
export type MemberState = 'up' | 'late' | 'down' | 'unknown';

export interface MemberReport {
  state: MemberState;
  /** Epoch that it applies, or null when it never said. */
  appliedEpoch: number | null;
  /** Milliseconds since its last heartbeat, or null. */
  silentMs: number | null;
  load: Load | null;
  software: string | null;
  /** The epoch that it refused last, with its reason, until it applies that one or a later one. */
  refused: { epoch: number; reason: string } | null;
}

/** A member is `up` until it was silent this long, then `late`, then `down`. Members send a heartbeat every second or two. */
export const UP_MS_MAX = 6_000;
export const LATE_MS_MAX = 20_000;

interface Heard {
  heartbeat?: Heartbeat;
  heartbeatAtMs?: number;
  /** What it said last, by heartbeat or acknowledgement. */
  epoch?: number;
  ackedAtMs?: number;
  refused?: { epoch: number; reason: string };
}

/**
 * What members said of themselves over NATS. Only members of the current table are kept (a bound, and strangers are not
 * shown). Authority of nothing: placement never depends on it.
 */
export class MemberStates {
  readonly #clock: () => number;
  #heard = new Map<string, Heard>();
  #listeningSinceMs: number | undefined;

  /** @param clock Unix milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Tells whether heartbeats can reach this process. While they cannot, silence says nothing about a member. */
  listening(yes: boolean): void {
    if (yes) this.#listeningSinceMs ??= this.#clock();
    else this.#listeningSinceMs = undefined;
  }

  get isListening(): boolean {
    return this.#listeningSinceMs !== undefined;
  }

  /** Sets who is a member. Reports of others are dropped and ignored. */
  retain(ids: Iterable<string>): void {
    const next = new Map<string, Heard>();
    for (const id of ids) next.set(id, this.#heard.get(id) ?? {});
    this.#heard = next;
  }

  heartbeat(heartbeat: Heartbeat): void {
    const heard = this.#heard.get(heartbeat.member);
    if (!heard) return;
    const before = heard.heartbeat;
    // A late message of an earlier process, or out of order.
    if (
      before &&
      (heartbeat.startedAtMs < before.startedAtMs ||
        (heartbeat.startedAtMs === before.startedAtMs && heartbeat.sequence <= before.sequence))
    )
      return;
    heard.heartbeat = heartbeat;
    heard.heartbeatAtMs = this.#clock();
    heard.epoch = heartbeat.epoch;
    if (heard.refused && heartbeat.epoch >= heard.refused.epoch) delete heard.refused;
  }

  ack(ack: Ack): void {
    const heard = this.#heard.get(ack.member);
    if (!heard || ack.atMs < (heard.ackedAtMs ?? 0)) return;
    heard.ackedAtMs = ack.atMs;
    if (ack.error === undefined) {
      heard.epoch = ack.epoch;
      delete heard.refused;
      return;
    }
    heard.refused = { epoch: ack.epoch, reason: ack.error };
    if (ack.lastGoodEpoch !== undefined) heard.epoch = ack.lastGoodEpoch;
  }

  /** An acknowledgement from the stream, which may be old: what was heard live stands against it. */
  storedAck(ack: Ack): void {
    const heard = this.#heard.get(ack.member);
    if (heard && heard.epoch === undefined) this.ack(ack);
  }

  report(id: string): MemberReport {
    const { heartbeat, heartbeatAtMs, epoch, refused } = this.#heard.get(id) ?? {};
    const now = this.#clock();
    return {
      state: this.#state(now, heartbeatAtMs),
      appliedEpoch: epoch ?? null,
      silentMs: heartbeatAtMs === undefined ? null : Math.max(0, now - heartbeatAtMs),
      load: heartbeat?.load ?? null,
      software: heartbeat?.software ?? null,
      refused: refused ?? null,
    };
  }

  #state(now: number, heartbeatAtMs: number | undefined): MemberState {
    if (heartbeatAtMs !== undefined && now - heartbeatAtMs <= UP_MS_MAX) return 'up';
    if (this.#listeningSinceMs === undefined) return 'unknown';
    // Silence counts from the moment from which this process could have heard.
    const silentMs = now - Math.max(heartbeatAtMs ?? 0, this.#listeningSinceMs);
    if (silentMs > LATE_MS_MAX) return 'down';
    if (heartbeatAtMs === undefined || heartbeatAtMs < this.#listeningSinceMs) return 'unknown';
    return 'late';
  }
}
