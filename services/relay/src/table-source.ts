import type { NostrEvent } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';

/** A table that was checked, and the event that carries its manifest. */
export interface AppliedTable {
  table: PlacementTable;
  event: { id: string };
  /** Absent for a table that was given by hand. */
  manifest?: {
    /** Unix seconds after which no move may start; service never stops. */
    movesUntil: number;
  };
}

/** Where a member's table comes from. `TableFollower` (NATS, with the last good one on disk) is one; tests have another. */
export interface TableSource {
  readonly current: AppliedTable | undefined;
  /** What roots have revoked, and who else signed the current epoch, to be handed on. */
  readonly revocations?: readonly NostrEvent[];
  readonly cosignatures?: readonly NostrEvent[];
  /** Calls `listener` with the current table, if any, and every later one. Returns how to stop it. */
  onTable(listener: (applied: AppliedTable) => void): () => void;
  start(): void;
  /** A member, reached at this URL, applies a newer epoch: the table can be had there. */
  lookAt?(memberUrl: string): void;
  stop(): Promise<void>;
}

/** A table given by hand, for members that follow none, and for tests. */
export class FixedTable implements TableSource {
  #current: AppliedTable | undefined;
  readonly #listeners = new Set<(applied: AppliedTable) => void>();

  constructor(table?: PlacementTable) {
    if (table) this.#current = applied(table);
  }

  get current(): AppliedTable | undefined {
    return this.#current;
  }

  set(table: PlacementTable): void {
    this.serve(applied(table));
  }

  /** A table with its own manifest. */
  serve(next: AppliedTable): void {
    this.#current = next;
    for (const listener of this.#listeners) listener(next);
  }

  onTable(listener: (applied: AppliedTable) => void): () => void {
    this.#listeners.add(listener);
    if (this.#current) listener(this.#current);
    return () => this.#listeners.delete(listener);
  }

  start(): void {}

  async stop(): Promise<void> {}
}

/** A table given by hand has no manifest; its root stands in for one. */
function applied(table: PlacementTable): AppliedTable {
  return { table, event: { id: table.root } };
}
