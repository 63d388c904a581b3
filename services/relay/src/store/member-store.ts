import type { MirrorState } from '../mirror/mirror-state.ts';
import type { EventStore } from './event-store.ts';
import type { SharedItems } from './shared-items.ts';
import type { Spool } from './spool.ts';

/** All that a member keeps, in one place and written in the same transactions. */
export interface MemberStore {
  readonly events: EventStore;
  readonly spool: Spool;
  readonly items: SharedItems;
  readonly mirror: MirrorState;
  /** Told of every commit: writes in it, and how long it took with its sync to disk. */
  onCommit: (writes: number, ms: number) => void;
  /** The JSON of every event, what deletes first, so that an import undoes nothing. */
  everything(): Iterable<string> | AsyncIterable<string>;
  /** Makes the backup that `covey relay backup` asked for, if one was. @returns where it is */
  answerBackupRequest(): Promise<string | undefined>;
  /** Makes durable what waits, and closes. */
  close(): Promise<void>;
}
