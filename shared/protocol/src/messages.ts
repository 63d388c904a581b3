import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

const Hex64 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Count = Type.Number({ minimum: 0 });

/** What a member carries right now. */
export const Load = Type.Object({
  connections: Count,
  subscriptions: Count,
  /** Events stored. */
  events: Count,
  /** Bytes of the store on disk. */
  bytes: Count,
  /** Events accepted, and events sent, a second over the last heartbeat's interval. */
  writesPerSecond: Count,
  readsPerSecond: Count,
  /** Events waiting to be forwarded to other members. */
  spooled: Count,
});
export type Load = Static<typeof Load>;

/** Groups named in a heartbeat: about 20 KB. */
export const FILLING_MAX = 2048;

/** Members named in one list of verdicts. */
const NAMED_MAX = 1000;
const Named = Type.Array(Hex64, { maxItems: NAMED_MAX });

/** `covey.<cluster>.member.<id>.heartbeat`, every heartbeat interval. */
export const Heartbeat = Type.Object({
  member: Hex64,
  /** Unix milliseconds at which the process started; with `sequence` it tells a restart from a late message. */
  startedAtMs: Count,
  sequence: Count,
  /** Epoch that the member applies, 0 when it has none. */
  epoch: Count,
  software: Type.String({ maxLength: 64 }),
  load: Load,
  /** Moving groups, under `epoch`, that the member holds and whose copy it is filling. */
  filling: Type.Optional(Type.Array(Count, { maxItems: FILLING_MAX })),
  /** There are more than `filling` names. */
  fillingMore: Type.Optional(Type.Boolean()),
  /** Who of the members does not serve, as this one holds; absent when it knows of nobody. */
  verdicts: Type.Optional(
    Type.Object({
      suspect: Named,
      returning: Named,
      dead: Named,
      absent: Named,
      majority: Type.Boolean(),
    }),
  ),
});
export type Heartbeat = Static<typeof Heartbeat>;

/** `covey.<cluster>.member.<id>.ack`: the member applies this epoch, or says why it does not (as in Envoy xDS). */
export const Ack = Type.Object({
  member: Hex64,
  epoch: Count,
  root: Hex64,
  atMs: Count,
  /** Set on a NACK: what was wrong; `epoch` and `root` are then those that were refused. */
  error: Type.Optional(Type.String({ maxLength: 512 })),
  /** Set on a NACK: the last good epoch, which goes on being served. */
  lastGoodEpoch: Type.Optional(Count),
});
export type Ack = Static<typeof Ack>;

/** Accounts in one Mirrored message: about 420 KB of the 1 MiB that NATS takes. */
export const MIRRORED_ACCOUNTS_MAX = 5000;

/**
 * `covey.<cluster>.member.<id>.mirrored`: all external accounts that the member mirrors now, each with the Unix second
 * since when what its own relays have is held here; 0 for everything. What is not said again for two minutes is void.
 */
export const Mirrored = Type.Object({
  member: Hex64,
  atMs: Count,
  accounts: Type.Array(Type.Tuple([Hex64, Count]), { maxItems: MIRRORED_ACCOUNTS_MAX }),
});
export type Mirrored = Static<typeof Mirrored>;

export class InvalidMessageError extends Error {
  override name = 'InvalidMessageError';
}

/** @throws InvalidMessageError naming the first field that is wrong. */
function read<T>(schema: Parameters<typeof Value.Check>[0], what: string, bytes: Uint8Array): T {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidMessageError(`the ${what} is not JSON`, { cause });
  }
  if (Value.Check(schema, json)) return json as T;
  const first = Value.Errors(schema, json).First();
  throw new InvalidMessageError(`the ${what} has a bad ${first?.path ?? 'shape'}: ${first?.message ?? ''}`);
}

export const readHeartbeat = (bytes: Uint8Array): Heartbeat => read(Heartbeat, 'heartbeat', bytes);
export const readMirrored = (bytes: Uint8Array): Mirrored =>
  read(Mirrored, 'list of mirrored accounts', bytes);
export const readAck = (bytes: Uint8Array): Ack => read(Ack, 'acknowledgement', bytes);
