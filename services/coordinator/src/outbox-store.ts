import type { NostrEvent } from '@covey/nostr';
import { listCosignatures, listRevocations, type Sql } from '@covey/postgres';
import { nextInOutbox, type OutboxItem, removeFromOutbox, republishLast } from './epochs/epoch-store.ts';

/** What waits to be published. A port: PostgreSQL, or a store in memory. */
export interface OutboxStore {
  /** The oldest epoch that NATS may not have yet. */
  next(): Promise<OutboxItem | undefined>;
  /** Marks an epoch, and those before it, as published. */
  remove(epoch: number): Promise<void>;
  /** Puts the newest epoch into the outbox again. */
  republishLast(): Promise<void>;
  /** Other coordinators' signatures over an epoch. */
  cosignatures(epoch: number): Promise<NostrEvent[]>;
  /** All that roots have revoked. */
  revocations(): Promise<NostrEvent[]>;
}

export function outboxIn(sql: Sql): OutboxStore {
  return {
    next: () => nextInOutbox(sql),
    remove: (epoch) => removeFromOutbox(sql, epoch),
    republishLast: () => republishLast(sql),
    cosignatures: (epoch) => listCosignatures(sql, epoch),
    revocations: () => listRevocations(sql),
  };
}
