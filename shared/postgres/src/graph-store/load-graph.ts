import { createHash } from 'node:crypto';
import type { Sql, TransactionSql } from '../index.ts';
import { KEY_BYTES } from './account-ids.ts';
import { u32Bytes, u32Values } from './little-endian.ts';
import type { RelayEntry } from './store-lists.ts';

/**
 * The follow graph in compressed sparse rows: account u (0 … nodes-1, ascending by public key) follows
 * `targets[offsets[u] .. offsets[u + 1])`, sorted. The same lists give the same arrays, whatever the order in which they
 * came in.
 */
export interface LoadedGraph {
  nodes: number;
  edges: number;
  offsets: Uint32Array;
  targets: Uint32Array;
  /** 32 bytes an account, ascending. */
  pubkeys: Uint8Array;
  /** Id in the database, by account. */
  ids: Uint32Array;
  signedLists: number;
  unsignedLists: number;
}

export interface LoadedRelayList {
  /** Position of the account in the graph loaded with it. */
  account: number;
  /** Unix seconds. */
  createdAt: number;
  entries: RelayEntry[];
}

export interface LoadedInputs {
  graph: LoadedGraph;
  /** Ascending by account. */
  relayLists: LoadedRelayList[];
  /** SHA-256 (hex) of both, see `graphDigest`. */
  digest: string;
}

const ACCOUNTS_A_FETCH = 20_000;
const LISTS_A_FETCH = 1_000;
const NOBODY = 0xffffffff;
/** Row ends in both directions still count with 32 bits. */
const FOLLOWS_MAX = 2 ** 31 - 1;

/** More follows than a graph can hold. */
export class GraphTooLargeError extends Error {
  override name = 'GraphTooLargeError';
}

/**
 * Graph and relay lists of one moment, streamed by cursor: every account that has a list or is followed. At the peak
 * 4 bytes a follow and about 60 an account, plus the relay lists. Offsets and targets lie over shared memory, so that a
 * thread that is given the graph has no copy of it.
 * @throws GraphTooLargeError
 */
export async function loadGraph(sql: Sql): Promise<LoadedInputs> {
  return await sql.begin('isolation level repeatable read read only', async (tx) => {
    const accounts = await readAccounts(tx);
    const follows = await readFollows(tx, accounts);
    const lists = await readRelayLists(tx, accounts, follows.used);
    const { graph, position } = arrange(accounts, follows);
    const relayLists = lists
      .map(({ rank, ...list }) => ({ account: position[rank]!, ...list }))
      .sort((a, b) => a.account - b.account);
    return { graph, relayLists, digest: graphDigest(graph, relayLists) };
  });
}

export async function loadFollowGraph(sql: Sql): Promise<LoadedGraph> {
  return (await loadGraph(sql)).graph;
}

/** SHA-256 (hex) over graph and relay lists in a canonical form: the same lists give the same digest anywhere. */
export function graphDigest(graph: LoadedGraph, relayLists: readonly LoadedRelayList[]): string {
  const hash = createHash('sha256').update('covey graph 1\n');
  hash.update(graph.pubkeys).update(u32Bytes(graph.offsets)).update(u32Bytes(graph.targets));
  for (const { account, entries } of relayLists)
    hash.update(`${JSON.stringify([account, entries.map((e) => [e.url, e.read, e.write])])}\n`);
  return hash.digest('hex');
}

/** All rows of `accounts`; a rank is a position in the order of public keys. */
interface Accounts {
  pubkeys: Uint8Array;
  ids: Uint32Array;
  /** By id; NOBODY where there is no such id. */
  rankOf: Uint32Array;
}

async function readAccounts(tx: TransactionSql): Promise<Accounts> {
  const [size] = await tx<{ max: number; count: number }[]>`
    select coalesce(max(id), 0)::int as max, count(*)::int as count from accounts`;
  const { max, count } = size!;
  const pubkeys = new Uint8Array(count * KEY_BYTES);
  const ids = new Uint32Array(count);
  const rankOf = new Uint32Array(max + 1).fill(NOBODY);
  let rank = 0;
  const cursor = tx<{ id: number; pubkey: Buffer }[]>`select id, pubkey from accounts order by pubkey`;
  for await (const rows of cursor.cursor(ACCOUNTS_A_FETCH))
    for (const { id, pubkey } of rows) {
      pubkeys.set(pubkey, rank * KEY_BYTES);
      ids[rank] = id;
      rankOf[id] = rank++;
    }
  return { pubkeys, ids, rankOf };
}

/** Rows by rank; `targets` holds ranks. */
interface Follows {
  offsets: Uint32Array;
  targets: Uint32Array;
  /** By rank: 1 for who has a list or is followed. */
  used: Uint8Array;
  signedLists: number;
  unsignedLists: number;
}

/**
 * Lists come in any order: their lengths first, which say where each belongs, then each to its place. So the follows are in
 * memory once, and threads can share them.
 */
async function readFollows(tx: TransactionSql, { ids, rankOf }: Accounts): Promise<Follows> {
  const offsets = sharedUint32(ids.length + 1);
  const used = new Uint8Array(ids.length);
  const lengths = tx<{ account_id: number; bytes: number }[]>`
    select account_id, octet_length(followees) as bytes from follow_lists`;
  let follows = 0;
  for await (const rows of lengths.cursor(ACCOUNTS_A_FETCH))
    for (const { account_id, bytes } of rows) {
      offsets[rankOf[account_id]! + 1] = bytes / 4;
      follows += bytes / 4;
    }
  if (follows > FOLLOWS_MAX)
    throw new GraphTooLargeError(
      `${follows} follows are more than ${FOLLOWS_MAX}, which is what one graph can hold`,
    );
  for (let rank = 0; rank < ids.length; rank++) offsets[rank + 1]! += offsets[rank]!;
  const targets = sharedUint32(follows);
  let signedLists = 0;
  let unsignedLists = 0;
  const lists = tx<{ account_id: number; signed: boolean; followees: Buffer }[]>`
    select account_id, signed, followees from follow_lists`;
  for await (const rows of lists.cursor(LISTS_A_FETCH))
    for (const { account_id, signed, followees } of rows) {
      const rank = rankOf[account_id]!;
      used[rank] = 1;
      // Ranks and ids are in different orders.
      const row = u32Values(followees).map((id) => rankOf[id]!);
      targets.set(row.sort(), offsets[rank]!);
      for (const followee of row) used[followee] = 1;
      if (signed) signedLists++;
      else unsignedLists++;
    }
  return { offsets, targets, used, signedLists, unsignedLists };
}

function sharedUint32(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(length * 4));
}

/** Marks the authors as used. */
async function readRelayLists(
  tx: TransactionSql,
  { rankOf }: Accounts,
  used: Uint8Array,
): Promise<{ rank: number; createdAt: number; entries: RelayEntry[] }[]> {
  const lists: { rank: number; createdAt: number; entries: RelayEntry[] }[] = [];
  const cursor = tx<{ account_id: number; created_at: string; entries: RelayEntry[] }[]>`
    select account_id, created_at, entries from relay_lists`;
  for await (const rows of cursor.cursor(LISTS_A_FETCH))
    for (const { account_id, created_at, entries } of rows) {
      const rank = rankOf[account_id]!;
      used[rank] = 1;
      lists.push({ rank, createdAt: Number(created_at), entries });
    }
  return lists;
}

/** Leaves out who is not used. `position`: by rank, the place in the graph; ascending, so that rows stay sorted. */
function arrange(accounts: Accounts, follows: Follows): { graph: LoadedGraph; position: Uint32Array } {
  const { used, targets, signedLists, unsignedLists } = follows;
  const position = new Uint32Array(used.length).fill(NOBODY);
  let nodes = 0;
  for (let rank = 0; rank < used.length; rank++) if (used[rank]) position[rank] = nodes++;
  const pubkeys = new Uint8Array(nodes * KEY_BYTES);
  const ids = new Uint32Array(nodes);
  const offsets = sharedUint32(nodes + 1);
  for (let rank = 0; rank < used.length; rank++) {
    if (!used[rank]) continue;
    const at = position[rank]!;
    pubkeys.set(accounts.pubkeys.subarray(rank * KEY_BYTES, (rank + 1) * KEY_BYTES), at * KEY_BYTES);
    ids[at] = accounts.ids[rank]!;
    offsets[at + 1] = follows.offsets[rank + 1]!;
  }
  for (let i = 0; i < targets.length; i++) targets[i] = position[targets[i]!]!;
  return {
    graph: { nodes, edges: targets.length, offsets, targets, pubkeys, ids, signedLists, unsignedLists },
    position,
  };
}
