import type { Enforcer } from '@covey/enforcement';
import { ALL_ALIVE, isAllAlive, type MemberVerdicts } from '@covey/liveness';

/** Members named in one list of verdicts. */
const NAMED_MAX = 1000;

/**
 * By whose verdicts a comparison decides which events two members share: its asker's. Were they the answerer's, a member
 * appointed a moment ago would find nothing to share with one that has not heard of the death yet, and think itself full.
 */
export interface RepairView {
  /** Absent when all members serve. */
  verdicts?: MemberVerdicts;
}

export function viewOf({ verdicts }: Enforcer): RepairView {
  const { returning, dead, absent, majority } = verdicts;
  return isAllAlive(verdicts) ? {} : { verdicts: { returning, dead, absent, majority } };
}

/** The verdicts in a scope that another member sends; undefined when they are malformed. */
export function readView(scope: unknown): MemberVerdicts | undefined {
  const { verdicts } = (scope ?? {}) as Record<string, unknown>;
  if (verdicts === undefined) return ALL_ALIVE;
  const { returning, dead, absent, majority } = (verdicts ?? {}) as Record<string, unknown>;
  if (![returning, dead, absent].every(isMembers) || typeof majority !== 'boolean') return undefined;
  return { returning, dead, absent, majority } as MemberVerdicts;
}

function isMembers(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= NAMED_MAX &&
    value.every((member) => typeof member === 'string' && /^[0-9a-f]{64}$/.test(member))
  );
}
