export const PLACE_QUEUE = 'place';

/** A job of the place queue: look whether the graph or the members have changed, and if so make the next epoch. */
export interface PlaceJob {
  /** For the audit of epochs: `schedule`, `ingest`, `first start`, or who asked. */
  reason: string;
  /** Make an epoch even when nothing has changed. */
  force: boolean;
  /** Place nothing: make an epoch with the content of this older one. */
  rollbackTo?: number;
}

export interface PlaceProgress {
  /** load, detect, place, table, delta, sign, commit … */
  phase: string;
  done: number;
  total: number;
}

/** Who shaped a placement. */
export interface TrustResult {
  /** `equal`: no seeds are declared (or none is in the graph), and nothing is resisted */
  basis: 'seeds' | 'equal';
  /** Declared seeds that are in the graph, and that are not. */
  seeds: number;
  unknownSeeds: number;
  /** Accounts that count as readers. */
  readers: number;
  /** Accounts that the search placed; the others live by hash. */
  placed: number;
  /** Pins of accounts that nobody trusts, past the quota for such. */
  pinsRefused: number;
}

/** What became of it. */
export type PlaceResult =
  | {
      changed: false;
      epoch: number;
      /** Set when placement is paused: why. */
      paused?: string;
    }
  | {
      changed: true;
      epoch: number;
      root: string;
      counts: { accounts: number; follows: number; communities: number; groups: number; moved: number };
      modularity: number;
      /** Absent for a rollback: nothing was placed. */
      trust?: TrustResult;
      tableBytes: number;
      /** From the epoch before; null where there is none, or where the snapshot is no larger. */
      deltaBytes: number | null;
      /** Why accounts stand where they do could not be stored. */
      explainError?: string;
      /** Milliseconds by phase, and in `total`. */
      ms: Record<string, number>;
    };
