export const PLACE_QUEUE = 'place';

/** A job of the place queue: look whether the graph or the members have changed, and if so make the next epoch. */
export interface PlaceJob {
  /** For the audit of epochs: `schedule`, `ingest`, `first start`, or who asked. */
  reason: string;
  /** Make an epoch even when nothing has changed. */
  force: boolean;
}

export interface PlaceProgress {
  /** load, detect, place, table, delta, sign, commit … */
  phase: string;
  done: number;
  total: number;
}

/** What became of it. */
export type PlaceResult =
  | { changed: false; epoch: number }
  | {
      changed: true;
      epoch: number;
      root: string;
      counts: { accounts: number; follows: number; communities: number; groups: number; moved: number };
      modularity: number;
      tableBytes: number;
      /** From the epoch before; null where there is none, or where the snapshot is no larger. */
      deltaBytes: number | null;
      /** Milliseconds by phase, and in `total`. */
      ms: Record<string, number>;
    };
