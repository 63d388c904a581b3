import type { Limits } from '../limits.ts';
import type { SpoolBounds } from './spool-book.ts';

/** How a member's store is opened, whatever it is. */
export interface StoreOptions {
  /** The member's folder. */
  dir: string;
  spool: SpoolBounds;
  /** Most writes that wait for the disk; further ones are refused with StoreBusyError. */
  writesWaitingMax: number;
  /** Unix milliseconds. */
  clock: () => number;
}

/** How long the first write of a group commit waits for others. */
export const COMMIT_DELAY_MS = 2;
/** Most writes in one transaction. */
export const COMMIT_WRITES_MAX = 1024;

/** A member's own bounds. @param clock Unix milliseconds */
export function storeOptions(
  { dir, limits }: { dir: string; limits: Limits },
  clock: () => number,
): StoreOptions {
  return {
    dir,
    spool: { perMemberMax: limits.spoolPerMemberMax, bytesMax: limits.spoolBytesMax },
    writesWaitingMax: limits.writesWaitingMax,
    clock,
  };
}
