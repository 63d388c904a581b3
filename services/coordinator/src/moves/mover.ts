import type { Logger } from '@covey/log';
import {
  AppliedTimes,
  checkStep,
  countMoves,
  isStale,
  type MovePolicy,
  type Step,
  type StepInput,
  StepPlanner,
  type Waiting,
} from '@covey/moves';
import { PlacementTable } from '@covey/table';
import { draftStep, type SignContext, signDraft } from '../epochs/commit-draft.ts';
import { type EpochHead, FencedError } from '../epochs/epoch-store.ts';
import type { MoveContext } from './commit-target.ts';
import type { MemberReports } from './member-reports.ts';
import type { MoveStore } from './move-store.ts';
import type { Serial } from './serial.ts';
import type { Target } from './target-store.ts';

/** While groups move, an epoch is renewed so long before the time is over until which members may start. */
const RENEW_MS = 6 * 3_600_000;

export interface MoverOptions {
  store: MoveStore;
  /** Undefined while this coordinator does not lead. */
  context: () => SignContext | undefined;
  reports: MemberReports;
  serial: Serial;
  policy: MovePolicy;
  /** Bytes that one member fills at a time, all together. */
  bytesPerMemberMax: number;
  /** Copies of an account, to tell its bytes from what members store. */
  copies: number;
  /** Least time between two steps: what comes together is one epoch. */
  stepMs: number;
  /** Milliseconds that do not jump. */
  nowMs: () => number;
  /** Unix milliseconds. */
  clock: () => number;
  onStep: (epoch: number) => void;
  onWaiting: (waiting: readonly Waiting[]) => void;
  log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Takes the cluster from the last epoch to the target, step by step, while this coordinator leads. All that it goes by is in
 * PostgreSQL (the last table, the target, the phases), committed with each step; what it remembers of members it hears anew.
 */
export class Mover implements MoveContext {
  readonly #options: MoverOptions;
  readonly store: MoveStore;
  readonly #applied = new AppliedTimes();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #planned:
    | { epoch: number; root: string; planner: StepPlanner; table: PlacementTable; target: Target }
    | undefined;
  #said = '';
  #stopped = true;

  constructor(options: MoverOptions) {
    this.#options = options;
    this.store = options.store;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#next();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  #next(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#working = this.#options.serial
        .run(() => this.#look())
        .catch((error) => {
          if (!(error instanceof FencedError))
            this.#options.log.warn(
              { error: String(error) },
              'a step of moves failed; it will be tried again',
            );
        })
        .finally(() => this.#next());
    }, this.#options.stepMs);
  }

  /** @param targetSinceMs Unix milliseconds */
  stepInput = (
    current: PlacementTable,
    phases: ReadonlyMap<number, number>,
    targetSinceMs: number,
  ): StepInput => {
    const { reports, policy, bytesPerMemberMax, copies, nowMs, clock } = this.#options;
    const now = nowMs();
    const ids = current.members.map(({ id }) => id);
    const said = reports.reports(ids, current.epoch, now);
    const bytes = reports.bytes / Math.max(1, current.accounts * copies);
    const fitting = Math.max(1, Math.floor(bytesPerMemberMax / Math.max(1, bytes)));
    const waited = [...said.values()].filter((report) => !isStale(report, now, policy));
    if (waited.length > 0) this.#applied.observe(Math.min(...waited.map(({ epoch }) => epoch)), now);
    return {
      phases,
      reports: said,
      appliedSinceMs: this.#applied.since,
      dead: reports.dead(ids, now, policy.silentMs),
      nowMs: now,
      targetSinceMs: now - Math.max(0, clock() - targetSinceMs),
      paused: false,
      quiet: reports.isQuiet(now),
      policy: { ...policy, accountsPerMemberMax: Math.min(policy.accountsPerMemberMax, fitting) },
    };
  };

  async #look(): Promise<void> {
    const { store, onWaiting } = this.#options;
    const context = this.#options.context();
    if (!context || this.#stopped) return;
    const last = await store.last();
    if (!last || (await store.isPaused())) return;
    const planned = await this.#plannerFor(last);
    if (!planned) return;
    const { planner, table, target } = planned;
    const step = planner.plan(this.stepInput(table, target.phases, target.sinceMs));
    const waiting = step.kind === 'done' ? [] : step.waiting;
    onWaiting(waiting);
    this.#say(step);
    if (step.kind === 'step') await this.#commit(context, last, planned, step);
    else if (table.moves().length > 0) await this.#renew(context, last, planned);
  }

  async #plannerFor(last: EpochHead) {
    const { store } = this.#options;
    const root = await store.targetRoot();
    if (root === undefined) return undefined;
    if (this.#planned?.epoch === last.epoch && this.#planned.root === root) return this.#planned;
    const target = await store.target();
    if (!target) return undefined;
    const table = new PlacementTable(await store.tableOf(last.epoch));
    const planner = new StepPlanner(table, target.table, await store.keysBetween(table, target.table));
    this.#planned = { epoch: last.epoch, root, planner, table, target };
    return this.#planned;
  }

  async #commit(
    context: SignContext,
    last: EpochHead,
    { table, target }: { table: PlacementTable; target: Target },
    step: Extract<Step, { kind: 'step' }>,
  ): Promise<void> {
    const { store, log, onStep, clock } = this.#options;
    const draft = draftStep(last, table, step.content, {
      createdAt: Math.floor(clock() / 1000),
      reason: 'moves',
      moved: step.changes.accounts,
    });
    const next = new PlacementTable(draft.table);
    checkStep(table, next, await store.keysBetween(table, next));
    await store.commit(signDraft(context, last, draft), { phases: step.phases });
    const { groups, byPhase } = countMoves(next);
    log.info(
      {
        epoch: draft.epoch,
        ...step.changes,
        moving: groups,
        ...byPhase,
        target: target.table.root.slice(0, 12),
      },
      'a step of moves',
    );
    onStep(draft.epoch);
  }

  /** Moves that take long need a later time until which members may start: the same content, signed anew. */
  async #renew(
    context: SignContext,
    last: EpochHead,
    { table, target }: { table: PlacementTable; target: Target },
  ): Promise<void> {
    const { clock, onStep, store } = this.#options;
    if ((await store.movesUntil(last.epoch)) * 1000 - clock() > RENEW_MS) return;
    const createdAt = Math.floor(clock() / 1000);
    const draft = draftStep(last, table, table.content(), { createdAt, reason: 'moves go on', moved: 0 });
    await store.commit(signDraft(context, last, draft), { phases: target.phases });
    onStep(draft.epoch);
  }

  /** Says once what is waited for, and again when it is something else. */
  #say(step: Step): void {
    if (step.kind !== 'wait') {
      this.#said = '';
      return;
    }
    const text = JSON.stringify([
      step.reason,
      step.waiting.map(({ phase, reason, members }) => [phase, reason, members]),
    ]);
    if (text === this.#said) return;
    this.#said = text;
    this.#options.log.info({ reason: step.reason, waiting: step.waiting }, 'moves wait');
  }
}
