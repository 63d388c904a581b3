import type { FollowGraph } from '@covey/graph';
import type { TableMember } from '@covey/table';
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex } from '@noble/hashes/utils';

/** How placement is done; part of the inputs. */
export interface PlacementOptions {
  copies: number;
  extraCopies: number;
  hubs: 'adaptive' | 'together' | 'spread';
  seed: number;
  /** How long the search for a better placement goes on. */
  effort: 'quick' | 'normal' | 'long';
  /** Accounts trusted from the start (hex, ascending); none: everybody is equal, and nothing is resisted. */
  trustSeeds: readonly string[];
  /** For how many accounts the cluster means to search: the bar of trust. */
  trustAccounts: number;
}

/** Everything that decides an epoch's table. Same inputs, same bytes, whoever computes them. */
export interface EpochInputs {
  cluster: string;
  epoch: number;
  /** Unix seconds. */
  createdAt: number;
  /** 32 bytes an account, ascending. */
  pubkeys: Uint8Array;
  graph: FollowGraph;
  /** In the order of the table. */
  members: readonly TableMember[];
  /** Account → members that its own relay list names, master first. */
  pins: ReadonlyMap<number, readonly number[]>;
  /** The table of the epoch before. */
  previous?: Uint8Array | undefined;
  previousRoot?: string | undefined;
  options: PlacementOptions;
}

/** Rises whenever the same inputs would give another table. */
export const ENGINE_VERSION = 5;

function littleEndian(values: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setUint32(i * 4, values[i]!, true);
  return bytes;
}

/** SHA-256 (hex) over all inputs in a fixed order. The clock is left out: it names the epoch, it does not move anybody. */
export function inputsDigest(inputs: EpochInputs): string {
  const { cluster, members, options, pins, previousRoot } = inputs;
  const head = JSON.stringify({
    engine: ENGINE_VERSION,
    cluster,
    members: members.map((m) => [
      m.id,
      m.url,
      m.name,
      m.operator,
      m.capacity.copies,
      m.capacity.connections,
      m.capacity.reads,
      m.state,
    ]),
    options: [options.copies, options.extraCopies, options.hubs, options.seed, options.effort],
    trust: [options.trustSeeds, options.trustAccounts],
    pins: [...pins].sort(([a], [b]) => a - b),
    previousRoot: previousRoot ?? null,
  });
  return bytesToHex(
    sha256
      .create()
      .update(new TextEncoder().encode(head))
      .update(inputs.pubkeys)
      .update(littleEndian(inputs.graph.offsets))
      .update(littleEndian(inputs.graph.targets))
      .digest(),
  );
}

/**
 * Members in the order of the table: those of the epoch before where they were, new ones behind them by id. A member
 * keeps its index as long as it can, so that group lists, and with them deltas, stay small.
 */
export function memberOrder(
  previous: readonly TableMember[],
  current: readonly TableMember[],
): TableMember[] {
  const byId = new Map(current.map((member) => [member.id, member]));
  const kept = previous.flatMap(({ id }) => byId.get(id) ?? []);
  const known = new Set(previous.map(({ id }) => id));
  const joined = current.filter(({ id }) => !known.has(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  return [...kept, ...joined];
}
