import type { NostrEvent } from '@covey/nostr';
import type { Spooling, WriteResult } from './event-store.ts';

export interface SpoolBounds {
  /** Most events that wait for one member. */
  perMemberMax: number;
  /** Most bytes of events that wait, each counted once. */
  bytesMax: number;
}

/** The spool as one transaction sees it. */
export interface SpoolRows {
  seqOf(id: string): number | undefined;
  /** @returns the entry's number */
  insert(event: NostrEvent, json: string, hops: number, nowMs: number): number;
  /** False when it is known already. */
  addDestination(member: string, seq: number): boolean;
}

/** What waits in the spool, counted in memory: the bounds, and whom to wake. Counted anew after a transaction was undone. */
export class SpoolBook {
  readonly #bounds: SpoolBounds;
  readonly #waiting = new Map<string, number>();
  /** By member the oldest entry that was added. */
  readonly #added = new Map<string, number>();
  #bytes = 0;
  onAdded: (member: string, seq: number) => void = () => {};

  constructor(bounds: SpoolBounds) {
    this.#bounds = bounds;
  }

  /** @param bytes of all entries @param waiting entries by member */
  load(bytes: number, waiting: Iterable<readonly [member: string, events: number]>): void {
    this.#waiting.clear();
    this.#added.clear();
    this.#bytes = bytes;
    for (const [member, events] of waiting) this.#waiting.set(member, events);
  }

  waitingFor(member: string): number {
    return this.#waiting.get(member) ?? 0;
  }

  get members(): string[] {
    return [...this.#waiting].filter(([, count]) => count > 0).map(([member]) => member);
  }

  get waiting(): number {
    let total = 0;
    for (const count of this.#waiting.values()) total += count;
    return total;
  }

  /** Inside a transaction. An event that is in the spool already gains the destinations it lacks. */
  add(rows: SpoolRows, event: NostrEvent, { hops, destinations }: Spooling, nowMs: number): WriteResult {
    const open = destinations.filter((member) => this.waitingFor(member) < this.#bounds.perMemberMax);
    const dropped = destinations.filter((member) => !open.includes(member));
    if (open.length === 0) return { outcome: 'full', dropped };
    let seq = rows.seqOf(event.id);
    if (seq === undefined) {
      const json = JSON.stringify(event);
      const bytes = Buffer.byteLength(json);
      if (this.#bytes + bytes > this.#bounds.bytesMax) return { outcome: 'full', dropped: destinations };
      this.#bytes += bytes;
      seq = rows.insert(event, json, hops, nowMs);
    }
    let added = 0;
    for (const member of open) {
      if (!rows.addDestination(member, seq)) continue;
      added++;
      this.#count(member, 1);
      this.#added.set(member, Math.min(seq, this.#added.get(member) ?? seq));
    }
    return { outcome: added > 0 ? 'spooled' : 'duplicate', dropped };
  }

  /** What was added is on the disk now: those who send it are told. */
  committed(): void {
    const added = [...this.#added];
    this.#added.clear();
    for (const [member, seq] of added) this.onAdded(member, seq);
  }

  /** An entry was struck off for a member. */
  struck(member: string): void {
    this.#count(member, -1);
  }

  /** An entry went, as it waits for nobody. */
  gone(bytes: number): void {
    this.#bytes -= bytes;
  }

  #count(member: string, change: number): void {
    this.#waiting.set(member, Math.max(0, this.waitingFor(member) + change));
  }
}
