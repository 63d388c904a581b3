import type { EnvReader } from '@covey/config';

/** Every bound of a member, in NIP-11 where NIP-11 has a name for it. */
export interface Limits {
  /** Largest message that is read. */
  frameBytesMax: number;
  /** Messages up to this size are refused with a clear answer; above it the connection is closed with 1009. */
  refusedFrameBytesMax: number;
  connectionsMax: number;
  subscriptionsMax: number;
  filtersMax: number;
  valuesMax: number;
  subscriptionIdCharactersMax: number;
  eventTagsMax: number;
  /** Most stored events that one filter is answered with. */
  limitMax: number;
  /** Most bytes of stored events that one REQ is answered with. */
  answerBytesMax: number;
  /** What may wait to be sent on a connection; a slower reader is cut. */
  outboundBytesMax: number;
  /** What may wait to be sent on all connections together; the slowest readers are cut. */
  outboundTotalBytesMax: number;
  /** Time a reader has to take what it was sent before its next answer goes on. */
  slowReaderMs: number;
  /** Writes of one connection that wait for the disk before its socket is no longer read. */
  writesInFlightMax: number;
  /** Writes of all connections that wait for the disk. */
  writesWaitingMax: number;
  handshakeMs: number;
  /** A connection without subscription is closed after this long in silence. */
  idleMs: number;
  pingMs: number;
  createdAtFutureSecondsMax: number;
  /** Events that wait for one member. */
  spoolPerMemberMax: number;
  /** Bytes of all events that wait for other members. */
  spoolBytesMax: number;
  /** Live subscriptions kept at one other member for clients here. */
  upstreamsPerMemberMax: number;
  /** Time that a REQ waits for other members before it is answered with what there is. */
  remoteReadMs: number;
  /** Events that a COUNT looks at before it says that it is approximate. */
  countRowsMax: number;
  /** Events of one reconciliation (NIP-77), 72 bytes each while it is open; of all; and how many one connection may have. */
  negentropyItemsMax: number;
  negentropyItemsTotalMax: number;
  negentropySessionsMax: number;
  /** Events, and bytes of them, that this member fetches a second to fill and repair what it holds. */
  repairEventsPerSecondMax: number;
  repairBytesPerSecondMax: number;
  /** How often it compares what it holds with every other member that holds it too. */
  repairEveryMs: number;
  /** A member that is dead for so long has its places given to others. Restarts must not move data. */
  absentMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  frameBytesMax: 512 * 1024,
  refusedFrameBytesMax: 4 * 1024 * 1024,
  connectionsMax: 4096,
  subscriptionsMax: 64,
  filtersMax: 20,
  valuesMax: 5000,
  subscriptionIdCharactersMax: 64,
  eventTagsMax: 10_000,
  limitMax: 1000,
  answerBytesMax: 8 * 1024 * 1024,
  outboundBytesMax: 16 * 1024 * 1024,
  outboundTotalBytesMax: 256 * 1024 * 1024,
  slowReaderMs: 30_000,
  writesInFlightMax: 256,
  writesWaitingMax: 20_000,
  handshakeMs: 10_000,
  idleMs: 600_000,
  pingMs: 30_000,
  createdAtFutureSecondsMax: 900,
  spoolPerMemberMax: 100_000,
  spoolBytesMax: 1024 ** 3,
  upstreamsPerMemberMax: 1000,
  remoteReadMs: 4000,
  countRowsMax: 20_000,
  negentropyItemsMax: 250_000,
  negentropyItemsTotalMax: 1_000_000,
  negentropySessionsMax: 4,
  repairEventsPerSecondMax: 5000,
  repairBytesPerSecondMax: 16 * 1024 * 1024,
  repairEveryMs: 600_000,
  absentMs: 600_000,
};

/** Environment variable of a limit: `frameBytesMax` is COVEY_FRAME_BYTES_MAX. */
export function limitVariable(name: keyof Limits): string {
  return `COVEY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** @throws ConfigError */
export function readLimits(env: EnvReader): Limits {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(limits) as (keyof Limits)[])
    limits[name] = env.integer(limitVariable(name), {
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
      fallback: DEFAULT_LIMITS[name],
    });
  return limits;
}
