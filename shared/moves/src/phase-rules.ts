import type { TableGroup, TableMember, TableMove } from '@covey/table';
import type { StepInput, Waiting } from './model.ts';

/** A move's next phase may begin, or what it waits for. */
export type PhaseVerdict = 'go' | Omit<Waiting, 'groups' | 'phase'>;

/** Copies that must serve under the new list before it is read, or all when it has fewer. */
const SERVING_MIN = 2;

/**
 * When a move may go on to its next phase:
 * 1. write both, read old → copy: every member sends writes to both lists.
 * 2. copy → write both, read new: every member of the new list is full.
 * 3. write both, read new → clean up: every member reads the new list, and what clients were told before has expired.
 * 4. clean up → arrived: no member writes to the old list.
 *
 * Stale members are not waited for: they catch up before they serve.
 */
export class PhaseRules {
  readonly #members: readonly TableMember[];
  readonly #epoch: number;
  readonly #input: StepInput;
  readonly #stale: ReadonlySet<number>;

  /**
   * @param members those of the current table
   * @param epoch the current epoch
   * @param stale indexes of the members that are not waited for
   */
  constructor(members: readonly TableMember[], epoch: number, input: StepInput, stale: ReadonlySet<number>) {
    this.#members = members;
    this.#epoch = epoch;
    this.#input = input;
    this.#stale = stale;
  }

  verdict({ group, phase, from }: TableMove, to: TableGroup): PhaseVerdict {
    const since = this.#input.phases.get(group) ?? this.#epoch;
    const behind = this.#behind(since);
    if (behind.length > 0) return { reason: 'acknowledgement', members: behind };
    switch (phase) {
      case 'write-both-read-old':
        if (!from.members.some((member) => this.#counts(member)))
          return { reason: 'no live copy', members: this.#ids(from.members) };
        return 'go';
      case 'copy':
        return this.#filled(group, to);
      case 'write-both-read-new': {
        const sinceMs = this.#input.appliedSinceMs(since);
        const { nowMs, policy } = this.#input;
        if (sinceMs === undefined || nowMs - sinceMs < policy.planTtlMs)
          return { reason: 'old plans', members: [] };
        return 'go';
      }
      case 'clean-up':
        return 'go';
    }
  }

  /** Whether the members of a list that count are full, and enough of them do. */
  #filled(group: number, list: TableGroup): PhaseVerdict {
    const filling = list.members.filter((member) => this.#counts(member) && this.isFilling(member, group));
    if (filling.length > 0) return { reason: 'filling', members: this.#ids(filling) };
    const writers = list.members.slice(0, list.copies);
    const serving = writers.filter((member) => this.#counts(member)).length;
    if (serving < Math.min(SERVING_MIN, writers.length))
      return { reason: 'too few copies', members: this.#ids(writers.filter((m) => !this.#counts(m))) };
    return 'go';
  }

  /** Whether every member of a list that held the group all along may be read at once. */
  full(group: number, list: TableGroup): boolean {
    return this.#filled(group, list) === 'go';
  }

  isFilling(member: number, group: number): boolean {
    const filling = this.#input.reports.get(this.#members[member]!.id)?.filling ?? 'unknown';
    return filling === 'unknown' || filling.has(group);
  }

  #counts(member: number): boolean {
    return !this.#stale.has(member);
  }

  /** Ids of members that count and do not apply `epoch` yet. */
  #behind(epoch: number): string[] {
    return this.#members
      .filter(({ id }, i) => this.#counts(i) && (this.#input.reports.get(id)?.epoch ?? 0) < epoch)
      .map(({ id }) => id);
  }

  #ids(members: readonly number[]): string[] {
    return members.map((member) => this.#members[member]!.id);
  }
}
