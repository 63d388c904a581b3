import type { CurrentTable } from '@covey/nats';

/** An event, as much of it as placement looks at. */
export interface SimEvent {
  id: string;
  kind: number;
  pubkey: string;
  tags: string[][];
}

/** What waits for other members. */
export interface Spooled {
  event: SimEvent;
  hops: number;
  /** Public keys. */
  to: Set<string>;
}

/** One transaction: all of it is on disk, or nothing. */
export interface Write {
  keep?: SimEvent | undefined;
  spool?: Spooled | undefined;
  /** Struck off the spool: delivered. */
  settled?: { id: string; member: string } | undefined;
}

/** A disk: what was synced survives a kill, what was not does not. */
export class Disk {
  readonly events = new Map<string, SimEvent>();
  readonly spool = new Map<string, Spooled>();
  /** The last good table, as the follower keeps it. */
  table: CurrentTable | undefined;

  write({ keep, spool, settled }: Write): void {
    if (keep) this.events.set(keep.id, keep);
    if (spool && spool.to.size > 0) {
      const known = this.spool.get(spool.event.id);
      if (known) for (const member of spool.to) known.to.add(member);
      else this.spool.set(spool.event.id, { ...spool, to: new Set(spool.to) });
    }
    if (settled) {
      const known = this.spool.get(settled.id);
      known?.to.delete(settled.member);
      if (known?.to.size === 0) this.spool.delete(settled.id);
    }
  }

  wipe(): void {
    this.events.clear();
    this.spool.clear();
    this.table = undefined;
  }

  has(id: string): boolean {
    return this.events.has(id) || this.spool.has(id);
  }
}
