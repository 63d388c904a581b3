import type { RejectReason } from '@covey/jobs';
import type { ArrivingList, TransactionSql } from '@covey/postgres';

/** Records lying one after the other in `bytes`; record i ends before `ends[i]` and starts where the one before ended. */
export interface RecordBlock {
  bytes: Uint8Array;
  ends: Uint32Array;
}

/** What a source hands over at a time: a few hundred records at most, so that its memory is bounded. */
export interface SourceChunk {
  /** Events as JSON, not looked at yet. */
  records?: RecordBlock;
  /** Lists of an unsigned source. */
  lists?: ArrivingList[];
  /** Records that the source itself could not take, by reason. */
  rejected?: Partial<Record<RejectReason, number>>;
  crowdedSeconds?: number;
  /** Run in the transaction that stores everything up to this chunk. */
  checkpoint?: (tx: TransactionSql) => Promise<void>;
  position?: string;
}

/**
 * A source broke off: what it has given counts, and there is no more. `retry` says whether trying again may help.
 */
export class SourceBrokenError extends Error {
  override name = 'SourceBrokenError';
  readonly retry: boolean;

  constructor(message: string, { retry, cause }: { retry: boolean; cause?: unknown }) {
    super(message, { cause });
    this.retry = retry;
  }
}

/** Puts records of any origin into one block. */
export function blockOf(records: readonly Uint8Array[]): RecordBlock {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + record.length, 0));
  const ends = new Uint32Array(records.length);
  let at = 0;
  for (const [i, record] of records.entries()) {
    bytes.set(record, at);
    ends[i] = at += record.length;
  }
  return { bytes, ends };
}
