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

/**
 * Graph and relay lists of one moment, streamed by cursor: every account that has a list or is followed. At the peak
 * 8 bytes a follow and about 60 an account, plus the relay lists.
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

/** Lists as they come: followees (ranks) of a list lie together in `targets`. */
interface Follows {
  targets: Uint32Array;
  edges: number;
  /** By rank: where the list starts in `targets`, and how long it is. */
  starts: Float64Array;
  degrees: Uint32Array;
  /** By rank: 1 for who has a list or is followed. */
  used: Uint8Array;
  signedLists: number;
  unsignedLists: number;
}

async function readFollows(tx: TransactionSql, { ids, rankOf }: Accounts): Promise<Follows> {
  const [total] = await tx<{ edges: string }[]>`
    select coalesce(sum(followee_count), 0) as edges from follow_lists`;
  const follows: Follows = {
    targets: new Uint32Array(Number(total!.edges)),
    edges: 0,
    starts: new Float64Array(ids.length),
    degrees: new Uint32Array(ids.length),
    used: new Uint8Array(ids.length),
    signedLists: 0,
    unsignedLists: 0,
  };
  const { targets, used } = follows;
  const cursor = tx<{ account_id: number; signed: boolean; followees: Buffer }[]>`
    select account_id, signed, followees from follow_lists`;
  for await (const rows of cursor.cursor(LISTS_A_FETCH))
    for (const { account_id, signed, followees } of rows) {
      const rank = rankOf[account_id]!;
      used[rank] = 1;
      follows.starts[rank] = follows.edges;
      for (const id of u32Values(followees)) {
        const followee = rankOf[id]!;
        targets[follows.edges++] = followee;
        used[followee] = 1;
      }
      follows.degrees[rank] = followees.length / 4;
      if (signed) follows.signedLists++;
      else follows.unsignedLists++;
    }
  return follows;
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

/** Leaves out who is not used, and puts the lists in order. `position`: by rank, the place in the graph. */
function arrange(accounts: Accounts, follows: Follows): { graph: LoadedGraph; position: Uint32Array } {
  const { used, starts, degrees, edges } = follows;
  const position = new Uint32Array(used.length).fill(NOBODY);
  let nodes = 0;
  for (let rank = 0; rank < used.length; rank++) if (used[rank]) position[rank] = nodes++;
  const pubkeys = new Uint8Array(nodes * KEY_BYTES);
  const ids = new Uint32Array(nodes);
  const offsets = new Uint32Array(nodes + 1);
  const targets = new Uint32Array(edges);
  for (let rank = 0; rank < used.length; rank++) {
    if (!used[rank]) continue;
    const at = position[rank]!;
    pubkeys.set(accounts.pubkeys.subarray(rank * KEY_BYTES, (rank + 1) * KEY_BYTES), at * KEY_BYTES);
    ids[at] = accounts.ids[rank]!;
    const from = offsets[at]!;
    const to = (offsets[at + 1] = from + degrees[rank]!);
    for (let i = from, j = starts[rank]!; i < to; i++, j++) targets[i] = position[follows.targets[j]!]!;
    targets.subarray(from, to).sort();
  }
  const { signedLists, unsignedLists } = follows;
  return { graph: { nodes, edges, offsets, targets, pubkeys, ids, signedLists, unsignedLists }, position };
}
