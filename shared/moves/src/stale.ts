import type { TableMember } from '@covey/table';
import type { MemberReport, MovePolicy } from './model.ts';

/** Whether a member is not waited for: silent, or heard for long without applying the last epoch. */
export function isStale(
  report: MemberReport | undefined,
  nowMs: number,
  { silentMs, acknowledgeMs }: Pick<MovePolicy, 'silentMs' | 'acknowledgeMs'>,
): boolean {
  if (!report || nowMs - report.heardAtMs > silentMs) return true;
  return report.behindSinceMs !== undefined && nowMs - report.behindSinceMs > acknowledgeMs;
}

/** Ids of the members that are stale. */
export function staleMembers(
  members: readonly Pick<TableMember, 'id'>[],
  reports: ReadonlyMap<string, MemberReport>,
  nowMs: number,
  policy: Pick<MovePolicy, 'silentMs' | 'acknowledgeMs'>,
): Set<string> {
  return new Set(members.map(({ id }) => id).filter((id) => isStale(reports.get(id), nowMs, policy)));
}
