import type { CurrentTable } from '@covey/nats';
import type { NostrEvent } from '@covey/nostr';

/** Where answers come from: the last good table. `TableFollower` is one; tests give a table in memory. */
export interface TableSource {
  readonly current: CurrentTable | undefined;
  /** What roots have revoked, and who else signed the current epoch, to be handed on. */
  readonly revocations?: readonly NostrEvent[];
  readonly cosignatures?: readonly NostrEvent[];
  /** Calls `listener` with every epoch, the current one at once. Returns how to stop it. */
  onTable(listener: (current: CurrentTable) => void): () => void;
}
