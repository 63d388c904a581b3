import { type Ack, readAck, subjectsOf } from '@covey/protocol';
import type { Hearing } from './hearing.ts';

export interface AcknowledgementsOptions {
  link: Hearing;
  cluster: string;
  /** Ids of the members whose word counts, as they are now. */
  members: () => readonly string[];
  nowMs: () => number;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/** Hears which epoch each member applies, or why it refuses one. Keeps one entry a member, nothing else. */
export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;
  readonly #applied = new Map<string, number>();
  #stopListening: (() => void) | undefined;
  #published: { epoch: number; atMs: number; done: boolean } | undefined;
  /** Milliseconds from publishing to the last member's acknowledgement, of the newest epoch that all applied. */
  lastAppliedMs: number | undefined;

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
  }

  start(): void {
    const { link, cluster, log } = this.#options;
    this.#stopListening = link.hear(subjectsOf(cluster).acks, (data, subject) => {
      try {
        this.#take(readAck(data), subject);
      } catch (cause) {
        log.warn({ error: String(cause), subject }, 'an acknowledgement is malformed');
      }
    });
  }

  stop(): void {
    this.#stopListening?.();
  }

  /** The clock for `epoch` starts. */
  published(epoch: number): void {
    if (this.#published?.epoch === epoch) return;
    this.#published = { epoch, atMs: this.#options.nowMs(), done: false };
    this.#check();
  }

  /** How many members apply `epoch`. */
  appliedBy(epoch: number): number {
    return this.#options.members().filter((id) => this.#applied.get(id) === epoch).length;
  }

  /** Whether a member says that it applies `epoch`. */
  applies(member: string, epoch: number): boolean {
    return this.#applied.get(member) === epoch;
  }

  #take(ack: Ack, subject: string): void {
    // The server lets a member publish under its own id alone, so the subject says who speaks.
    if (
      subject !== subjectsOf(this.#options.cluster).ack(ack.member) ||
      !this.#options.members().includes(ack.member)
    )
      return;
    if (ack.error) {
      this.#options.log.warn(
        { member: ack.member, epoch: ack.epoch, error: ack.error.slice(0, 200) },
        'a member refused an epoch',
      );
      return;
    }
    this.#applied.set(ack.member, ack.epoch);
    this.#check();
  }

  #check(): void {
    const published = this.#published;
    const members = this.#options.members().length;
    if (!published || published.done || this.appliedBy(published.epoch) < members) return;
    published.done = true;
    this.lastAppliedMs = Math.round(this.#options.nowMs() - published.atMs);
    this.#options.log.info(
      { epoch: published.epoch, ms: this.lastAppliedMs, members },
      'all members apply the epoch',
    );
  }
}
