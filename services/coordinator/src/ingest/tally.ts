import type { IngestCounts, RejectReason } from '@covey/jobs';
import type { ArrivingList, Decision } from '@covey/postgres';

/** Counts rejected records as read. */
export function tallyRejected(
  counts: IngestCounts,
  rejected: Partial<Record<RejectReason, number>> | undefined,
): void {
  for (const [reason, count] of Object.entries(rejected ?? {}) as [RejectReason, number][]) {
    counts.read += count;
    counts.rejected[reason] = (counts.rejected[reason] ?? 0) + count;
  }
}

/** Counts what became of stored lists. */
export function tallyDecisions(
  counts: IngestCounts,
  lists: readonly ArrivingList[],
  decisions: readonly Decision[],
): void {
  for (const [i, decision] of decisions.entries()) {
    const list = lists[i]!;
    counts.read++;
    if (decision === 'new' || decision === 'replaces') {
      counts.accepted++;
      if (decision === 'replaces') counts.replaced++;
      if (list.type === 'follows') counts.follows += list.followees.length / 32;
      if (list.type !== 'profile') counts.changed++;
    } else counts[decision]++;
  }
}
