import type { MemberReport } from '@covey/moves';
import type { Ack, Heartbeat } from '@covey/protocol';

interface Heard {
  epoch: number;
  atMs: number;
  startedAtMs: number;
  sequence: number;
  filling: ReadonlySet<number> | 'unknown';
  behindSinceMs: number | undefined;
  /** Ids of members that it holds for dead for good. */
  absent: readonly string[];
  bytes: number;
  eventsPerSecond: number;
}

const NOBODY: readonly string[] = [];

/** Under so many events a second a cluster is quiet, whatever it was before. */
const QUIET_EVENTS = 100;
/** Quiet is half of the busiest time; that is forgotten by half in a day. */
const QUIET_SHARE = 0.5;
const PEAK_HALF_LIFE_MS = 86_400_000;

/** What members say of themselves over NATS, as moves need it. One entry a member; the caller says who is one. */
export class MemberReports {
  readonly #heard = new Map<string, Heard>();
  readonly #sinceMs: number;
  #peak = { events: 0, atMs: 0 };

  /** @param nowMs of a clock that does not jump: before that nothing could be heard */
  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Forgets everybody else. */
  retain(ids: readonly string[]): void {
    for (const id of this.#heard.keys()) if (!ids.includes(id)) this.#heard.delete(id);
  }

  heartbeat(heartbeat: Heartbeat, nowMs: number): void {
    const { member, startedAtMs, sequence, epoch, filling, fillingMore, load, verdicts } = heartbeat;
    const before = this.#heard.get(member);
    // A late message of an earlier process, or out of order.
    if (
      before &&
      (startedAtMs < before.startedAtMs ||
        (startedAtMs === before.startedAtMs && sequence <= before.sequence))
    )
      return;
    this.#heard.set(member, {
      epoch,
      atMs: nowMs,
      startedAtMs,
      sequence,
      filling: filling === undefined || fillingMore ? 'unknown' : new Set(filling),
      behindSinceMs: before?.behindSinceMs,
      absent: verdicts?.majority ? verdicts.absent : NOBODY,
      bytes: load.bytes,
      eventsPerSecond: load.writesPerSecond + load.readsPerSecond,
    });
  }

  /** A member took an epoch: what it fills under that one its next heartbeat says. */
  ack({ member, epoch, error }: Ack): void {
    const heard = this.#heard.get(member);
    if (!heard || error !== undefined || epoch <= heard.epoch) return;
    this.#heard.set(member, { ...heard, epoch, filling: 'unknown' });
  }

  /** By member id, against the epoch that is current. Who was never heard counts as heard when listening began. */
  reports(ids: readonly string[], currentEpoch: number, nowMs: number): Map<string, MemberReport> {
    const reports = new Map<string, MemberReport>();
    for (const id of ids) {
      const heard = this.#heard.get(id);
      if (!heard) {
        reports.set(id, { epoch: 0, heardAtMs: this.#sinceMs, filling: 'unknown' });
        continue;
      }
      heard.behindSinceMs = heard.epoch < currentEpoch ? (heard.behindSinceMs ?? nowMs) : undefined;
      const { epoch, atMs, filling, behindSinceMs } = heard;
      reports.set(id, { epoch, heardAtMs: atMs, filling, behindSinceMs });
    }
    return reports;
  }

  /** Members that more than half of all others, and everybody who was heard lately, hold for dead for good. */
  dead(ids: readonly string[], nowMs: number, silentMs: number): Set<string> {
    const voices = ids.filter(
      (id) => nowMs - (this.#heard.get(id)?.atMs ?? Number.NEGATIVE_INFINITY) <= silentMs,
    );
    return new Set(
      ids.filter((id) => {
        const others = voices.filter((voice) => voice !== id);
        return (
          !voices.includes(id) &&
          others.length * 2 > ids.length - 1 &&
          others.every((voice) => this.#heard.get(voice)!.absent.includes(id))
        );
      }),
    );
  }

  /** Bytes that members store, all together. */
  get bytes(): number {
    return [...this.#heard.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether the cluster has little to do now. */
  isQuiet(nowMs: number): boolean {
    const events = [...this.#heard.values()].reduce((sum, { eventsPerSecond }) => sum + eventsPerSecond, 0);
    const faded = this.#peak.events * 0.5 ** ((nowMs - this.#peak.atMs) / PEAK_HALF_LIFE_MS);
    this.#peak = { events: Math.max(events, faded), atMs: nowMs };
    return events <= QUIET_EVENTS || events <= this.#peak.events * QUIET_SHARE;
  }
}
