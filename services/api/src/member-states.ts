import { ALL_ALIVE, agreedVerdicts, isAllAlive, type Verdicts } from '@covey/liveness';
import type { Ack, Heartbeat, Load } from '@covey/protocol';

/** How a member looks from here: `unknown` when this API itself cannot hear (NATS is away) or has only begun to listen. */
export type MemberState = 'up' | 'late' | 'down' | 'unknown';

/** How a member stands by the probes of the others; null when too few were heard to tell. */
export type MemberStanding = 'alive' | 'returning' | 'suspect' | 'dead' | 'absent';

export interface MemberReport {
  state: MemberState;
  standing: MemberStanding | null;
  /** Epoch that it applies, or null when it never said. */
  appliedEpoch: number | null;
  /** Milliseconds since its last heartbeat, or null. */
  silentMs: number | null;
  load: Load | null;
  software: string | null;
  /** Moving groups whose copy it is filling; null when it did not say. */
  filling: number | null;
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

  readonly #listeners = new Set<() => void>();
  #said = '';

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
    this.#look();
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

  /** Calls `listener` when what `verdicts` gives has changed, by a heartbeat. @returns how to stop it */
  onVerdicts(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A suspect keeps its roles: it makes no difference. */
  #look(): void {
    const { suspect: _, ...acts } = this.verdicts() ?? ALL_ALIVE;
    const said = isAllAlive(acts) ? '' : JSON.stringify(acts);
    if (said === this.#said) return;
    this.#said = said;
    for (const listener of this.#listeners) listener();
  }

  /**
   * What most members that were heard lately hold of each other; undefined when fewer than half of them were. A member's own
   * silence here says nothing to that: the path to it may be broken, and not the member.
   */
  verdicts(): Verdicts | undefined {
    const now = this.#clock();
    const reports: Verdicts[] = [];
    for (const { heartbeat, heartbeatAtMs } of this.#heard.values())
      if (heartbeat && now - heartbeatAtMs! <= UP_MS_MAX) reports.push(heartbeat.verdicts ?? ALL_ALIVE);
    return reports.length * 2 > this.#heard.size ? agreedVerdicts(reports) : undefined;
  }

  #standing(id: string): MemberStanding | null {
    const verdicts = this.verdicts();
    if (!verdicts) return null;
    return (
      (['absent', 'dead', 'returning', 'suspect'] as const).find((name) => verdicts[name].includes(id)) ??
      'alive'
    );
  }

  report(id: string): MemberReport {
    const { heartbeat, heartbeatAtMs, epoch, refused } = this.#heard.get(id) ?? {};
    const now = this.#clock();
    return {
      state: this.#state(now, heartbeatAtMs),
      standing: this.#standing(id),
      appliedEpoch: epoch ?? null,
      silentMs: heartbeatAtMs === undefined ? null : Math.max(0, now - heartbeatAtMs),
      load: heartbeat?.load ?? null,
      software: heartbeat?.software ?? null,
      filling: heartbeat?.filling?.length ?? null,
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
