import type { KeyOf } from '@covey/moves';
import { readControls, type Sql } from '@covey/postgres';
import type { PlacementTable } from '@covey/table';
import { commitEpoch, type EpochHead, type EpochRow, lastEpoch, tableOf } from '../epochs/epoch-store.ts';
import { readTarget, type Target, targetRoot, writePhases, writeTarget } from './target-store.ts';
import { WholeKeys } from './whole-keys.ts';

/** What stands with an epoch, in its transaction. */
export interface MoveState {
  /** A new target; the one of before stays when not given. */
  target?: PlacementTable;
  /** Moving group → the epoch that brought it to its phase. */
  phases: ReadonlyMap<number, number>;
}

/** All that moves go by, and where their steps are committed. A port: PostgreSQL, or a store in memory. */
export interface MoveStore {
  last(): Promise<EpochHead | undefined>;
  /** The bytes of an epoch's table. @throws Error when they are no longer kept */
  tableOf(epoch: number): Promise<Uint8Array>;
  /** Unix seconds until which moves of an epoch may start; 0 when it does not say. */
  movesUntil(epoch: number): Promise<number>;
  isPaused(): Promise<boolean>;
  targetRoot(): Promise<string | undefined>;
  target(): Promise<Target | undefined>;
  /** Whole keys of accounts that one of two tables lists alone. */
  keysBetween(current: PlacementTable, target: PlacementTable): Promise<KeyOf>;
  /**
   * Writes an epoch, its outbox row and `state` together or not at all, under the fence in `row`.
   * @throws FencedError when another coordinator leads, or `row` does not follow the last epoch
   */
  commit(row: EpochRow, state: MoveState): Promise<void>;
}

export function movesIn(sql: Sql): MoveStore {
  const keys = new WholeKeys(sql);
  return {
    last: () => lastEpoch(sql),
    tableOf: (epoch) => tableOf(sql, epoch),
    movesUntil: async (epoch) => {
      const rows = await sql<{ until: string | null }[]>`
        select (select tag->>1 from json_array_elements(manifest->'tags') as tag where tag->>0 = 'moves-until') as until
        from epochs where epoch = ${epoch}`;
      return Number(rows[0]?.until ?? 0);
    },
    isPaused: async () => (await readControls(sql)).paused !== undefined,
    targetRoot: () => targetRoot(sql),
    target: () => readTarget(sql),
    keysBetween: (current, target) => keys.between(current, target),
    commit: (row, { target, phases }) =>
      commitEpoch(sql, row, (tx) => (target ? writeTarget(tx, target, phases) : writePhases(tx, phases))),
  };
}
