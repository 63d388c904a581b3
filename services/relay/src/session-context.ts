import type { Enforcer } from '@covey/enforcement';
import type { ClusterField } from '@covey/protocol';
import type { EventBatches } from './clients/event-batches.ts';
import type { Counts } from './counts.ts';
import type { Limits } from './limits.ts';
import type { LiveIndex } from './live-index.ts';
import type { MemberLinks } from './members/member-links.ts';
import type { RepairServer } from './members/repair-server.ts';
import type { RelayMetrics } from './metrics.ts';
import type { NegentropyBudget } from './negentropy-sessions.ts';
import type { ReadPath } from './read-path.ts';
import type { EventStore } from './store/event-store.ts';
import type { Turns } from './turns.ts';
import type { WritePath } from './write-path.ts';

/** What all connections of a relay share. */
export interface SessionContext {
  limits: Limits;
  writes: WritePath;
  reads: ReadPath;
  counts: Counts;
  store: EventStore;
  negentropyBudget: NegentropyBudget;
  /** Kinds that only those may read whom an event is for. */
  authKinds: ReadonlySet<number>;
  /** A reader that was too slow is cut. */
  onSlowReader: () => void;
  live: LiveIndex;
  batches: EventBatches;
  turns: Turns;
  links: MemberLinks;
  repairServer: () => RepairServer;
  /** Takes another member's probe; `answer` is called once when it can be answered. @returns false when it is malformed */
  probed: (frame: readonly unknown[], member: string, answer: (frame: string) => void) => boolean;
  /** Another member applies this epoch. */
  toldEpoch: (epoch: number, member: string) => void;
  enforcer: () => Enforcer;
  clusterField: () => ClusterField;
  relayUrl: () => string;
  metrics: RelayMetrics;
  /** Unix milliseconds. */
  clock: () => number;
}
