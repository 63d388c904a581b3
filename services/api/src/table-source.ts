import type { CurrentTable } from '@covey/nats';

/** Where answers come from: the last good table. `TableFollower` is one; tests give a table in memory. */
export interface TableSource {
  readonly current: CurrentTable | undefined;
  /** Calls `listener` with every epoch, the current one at once. Returns how to stop it. */
  onTable(listener: (current: CurrentTable) => void): () => void;
}
