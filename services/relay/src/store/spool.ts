import type { NostrEvent } from '@covey/nostr';
import type { Awaitable } from './event-store.ts';

export interface SpooledEvent {
  seq: number;
  event: NostrEvent;
  hops: number;
  /** Unix milliseconds. */
  spooledAtMs: number;
}

/**
 * Events on their way to other members, as durable as the events themselves: an entry goes when its member has said OK.
 * Bounded by member, so that one that is away for long takes no room from the others.
 */
export interface Spool {
  /** Called when entries were committed for this member: the oldest is `seq`, an old one when its event waited for others already. */
  onAdded: (member: string, seq: number) => void;
  /** Members for which something waits. */
  readonly members: string[];
  /** Events that wait, counted once for every member that they wait for. */
  readonly waiting: number;
  /** Events that wait for this member. */
  waitingFor(member: string): number;
  /** The oldest entries for a member after entry `afterSeq`. */
  next(member: string, afterSeq: number, count: number): Awaitable<SpooledEvent[]>;
  /** Strikes these entries off for this member: delivered, or never to be. */
  settle(member: string, seqs: readonly number[]): Promise<void>;
  /**
   * Sends what waits for `member` elsewhere, as a new table says: up to `count` entries after `afterSeq` are given the
   * destinations that `place` names, in one transaction.
   * @returns the last entry looked at, or undefined when there are no more
   */
  reroute(
    member: string,
    afterSeq: number,
    count: number,
    place: (event: NostrEvent) => readonly string[],
    nowMs: number,
  ): Promise<number | undefined>;
}
