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
import { readControls, type Sql } from '@covey/postgres';
import { PlacementTable } from '@covey/table';
import { type CommitContext, commitDraft, draftStep } from '../epochs/commit-draft.ts';
import { type EpochHead, FencedError, lastEpoch, tableOf } from '../epochs/epoch-store.ts';
import type { MoveContext } from './commit-target.ts';
import type { MemberReports } from './member-reports.ts';
import type { Serial } from './serial.ts';
import { readTarget, type Target, targetRoot, writePhases } from './target-store.ts';
import { WholeKeys } from './whole-keys.ts';

/** While groups move, an epoch is renewed so long before the time is over until which members may start. */
const RENEW_MS = 6 * 3_600_000;

export interface MoverOptions {
  sql: Sql;
  /** Undefined while this coordinator does not lead. */
  context: () => CommitContext | undefined;
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
  readonly #keys: WholeKeys;
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
    this.#keys = new WholeKeys(options.sql);
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

  keysBetween = (current: PlacementTable, target: PlacementTable) => this.#keys.between(current, target);

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
    const { sql, onWaiting } = this.#options;
    const context = this.#options.context();
    if (!context || this.#stopped) return;
    const last = await lastEpoch(sql);
    if (!last || (await readControls(sql)).paused) return;
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
    const { sql } = this.#options;
    const root = await targetRoot(sql);
    if (root === undefined) return undefined;
    if (this.#planned?.epoch === last.epoch && this.#planned.root === root) return this.#planned;
    const target = await readTarget(sql);
    if (!target) return undefined;
    const table = new PlacementTable(await tableOf(sql, last.epoch));
    const planner = new StepPlanner(table, target.table, await this.keysBetween(table, target.table));
    this.#planned = { epoch: last.epoch, root, planner, table, target };
    return this.#planned;
  }

  async #commit(
    context: CommitContext,
    last: EpochHead,
    { table, target }: { table: PlacementTable; target: Target },
    step: Extract<Step, { kind: 'step' }>,
  ): Promise<void> {
    const { log, onStep, clock } = this.#options;
    const draft = draftStep(last, table, step.content, {
      createdAt: Math.floor(clock() / 1000),
      reason: 'moves',
      moved: step.changes.accounts,
    });
    const next = new PlacementTable(draft.table);
    checkStep(table, next, await this.keysBetween(table, next));
    await commitDraft(context, last, draft, (tx) => writePhases(tx, step.phases));
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
    context: CommitContext,
    last: EpochHead,
    { table, target }: { table: PlacementTable; target: Target },
  ): Promise<void> {
    const { clock, onStep, sql } = this.#options;
    const rows = await sql<{ until: string | null }[]>`
      select (select tag->>1 from json_array_elements(manifest->'tags') as tag where tag->>0 = 'moves-until') as until
      from epochs where epoch = ${last.epoch}`;
    if (Number(rows[0]?.until ?? 0) * 1000 - clock() > RENEW_MS) return;
    const createdAt = Math.floor(clock() / 1000);
    const draft = draftStep(last, table, table.content(), { createdAt, reason: 'moves go on', moved: 0 });
    await commitDraft(context, last, draft, (tx) => writePhases(tx, target.phases));
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
