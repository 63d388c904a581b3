import { checkStep, type StepInput, StepPlanner } from '@covey/moves';
import { PlacementTable } from '@covey/table';
import {
  draftStep,
  type EpochDraft,
  type EpochOrigin,
  type SignContext,
  signDraft,
} from '../epochs/commit-draft.ts';
import type { EpochHead, EpochRow } from '../epochs/epoch-store.ts';
import type { MoveStore } from './move-store.ts';

/** What the first step to a target needs to know. */
export interface MoveContext {
  store: MoveStore;
  /** What members said, for a step from `current`. */
  stepInput: (
    current: PlacementTable,
    phases: ReadonlyMap<number, number>,
    targetSinceMs: number,
  ) => StepInput;
}

/** A placement that is to be moved to. */
export interface NewTarget {
  /** Its epoch and moves are not looked at. */
  table: PlacementTable;
  /** Unix milliseconds. */
  nowMs: number;
  reason: string;
  /** Accounts that it moves, all together. */
  moved: number;
  /** Absent for a rollback: nothing was placed. */
  origin?: EpochOrigin | undefined;
  report?: EpochRow['report'] | undefined;
}

/**
 * Makes a placement the target, and the next epoch the first step to it, in one transaction. Groups that move already go on,
 * turn back or set out anew (`@covey/moves`). When nothing can start yet the epoch says what the last one said.
 * @throws FencedError, IllegalStepError
 */
export async function commitTarget(
  context: SignContext,
  moves: MoveContext,
  last: EpochHead,
  { table: target, nowMs, reason, moved, origin, report }: NewTarget,
): Promise<EpochDraft> {
  const { store } = moves;
  const current = new PlacementTable(await store.tableOf(last.epoch));
  const phases = (await store.target())?.phases ?? new Map<number, number>();
  const keyOf = await store.keysBetween(current, target);
  const step = new StepPlanner(current, target, keyOf).plan(moves.stepInput(current, phases, nowMs));
  const content = step.kind === 'step' ? step.content : current.content();
  const draft = draftStep(last, current, content, {
    createdAt: Math.floor(nowMs / 1000),
    reason,
    moved,
    origin: origin ?? { ...last, target: target.root },
    report,
  });
  checkStep(current, new PlacementTable(draft.table), keyOf);
  await store.commit(signDraft(context, last, draft), {
    target,
    phases: step.kind === 'step' ? step.phases : phases,
  });
  return draft;
}
