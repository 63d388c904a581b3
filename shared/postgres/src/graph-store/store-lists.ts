import type { Sql, TransactionSql } from '../index.ts';
import { internKeys, KEY_BYTES, keyAt } from './account-ids.ts';
import { CopyRows } from './copy-binary.ts';
import { copyIn } from './copy-in.ts';
import { type Decision, decideList, type ListVersion } from './newest-wins.ts';

export interface RelayEntry {
  url: string;
  read: boolean;
  write: boolean;
}

interface ArrivingVersion extends ListVersion {
  /** 32 bytes. */
  pubkey: Uint8Array;
  source: string;
}

/** A follow list on its way in. `followees`: 32 bytes each, each once, the author left out. */
export interface ArrivingFollows extends ArrivingVersion {
  type: 'follows';
  followees: Uint8Array;
}

export interface ArrivingRelays extends ArrivingVersion {
  type: 'relays';
  entries: RelayEntry[];
}

export interface ArrivingProfile extends ArrivingVersion {
  type: 'profile';
  name: string;
}

export type ArrivingList = ArrivingFollows | ArrivingRelays | ArrivingProfile;

/** Who holds the advisory lock of this number writes the graph: decisions read before a write still hold after it. */
const WRITER_LOCK = 4_226_002;

const TABLES = { follows: 'follow_lists', relays: 'relay_lists', profile: 'profiles' } as const;

/**
 * Stores a batch of lists in one transaction, set-based: a handful of statements whatever the size. The cost of a list
 * that does not win is one row of a look-up; its followees are never interned. `alongside` runs in the same transaction,
 * for what must be as durable as the lists (cursors, counts).
 * @returns what became of each list, in order, as if they had arrived one by one
 */
export async function storeLists(
  sql: Sql,
  lists: readonly ArrivingList[],
  alongside?: (tx: TransactionSql, decisions: readonly Decision[]) => Promise<void>,
): Promise<Decision[]> {
  return await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${WRITER_LOCK})`;
    const decisions: Decision[] = new Array(lists.length);
    const winners: ArrivingList[] = [];
    for (const type of ['follows', 'relays', 'profile'] as const)
      winners.push(...(await decideAll(tx, type, lists, decisions)));
    if (winners.length > 0) await writeWinners(tx, winners);
    await alongside?.(tx, decisions);
    return decisions;
  });
}

/** Decides every list of one type, in order, against what stands in the table; returns those that stand at the end. */
async function decideAll(
  tx: TransactionSql,
  type: ArrivingList['type'],
  lists: readonly ArrivingList[],
  decisions: Decision[],
): Promise<ArrivingList[]> {
  const authors = new Map<string, Uint8Array>();
  for (const list of lists) if (list.type === type) authors.set(keyAt(list.pubkey), list.pubkey);
  if (authors.size === 0) return [];
  const standing = await readStanding(tx, type, [...authors.values()]);
  const winners = new Map<string, ArrivingList>();
  for (const [i, list] of lists.entries()) {
    if (list.type !== type) continue;
    const key = keyAt(list.pubkey);
    const decision = decideList(winners.get(key) ?? standing.get(key), list);
    decisions[i] = decision;
    if (decision === 'new' || decision === 'replaces') winners.set(key, list);
  }
  return [...winners.values()];
}

async function readStanding(
  tx: TransactionSql,
  type: ArrivingList['type'],
  authors: readonly Uint8Array[],
): Promise<Map<string, ListVersion>> {
  // Keys travel as one value: 32 bytes each.
  const rows = await tx<{ pubkey: Buffer; created_at: string; list_id: Buffer; signed: boolean }[]>`
    select a.pubkey, l.created_at, l.list_id, l.signed
    from generate_series(0, ${authors.length - 1}::int) n
    join accounts a on a.pubkey = substring(${Buffer.concat(authors)}::bytea from n * 32 + 1 for 32)
    join ${tx(TABLES[type])} l on l.account_id = a.id`;
  return new Map(
    rows.map((row) => [
      keyAt(row.pubkey),
      { createdAt: Number(row.created_at), id: row.list_id.toString('hex'), signed: row.signed },
    ]),
  );
}

async function writeWinners(tx: TransactionSql, winners: readonly ArrivingList[]): Promise<void> {
  const ids = await internKeys(
    tx,
    winners.flatMap((list) => (list.type === 'follows' ? [list.pubkey, list.followees] : [list.pubkey])),
  );
  const follows = new CopyRows();
  const relays = new CopyRows();
  const profiles = new CopyRows();
  for (const list of winners) {
    const account = ids.at(list.pubkey, 0);
    if (list.type === 'follows') {
      const count = list.followees.length / KEY_BYTES;
      const followees = new Uint32Array(count);
      for (let i = 0; i < count; i++) followees[i] = ids.at(list.followees, i);
      followees.sort();
      version(follows, 7, account, list);
      follows.text(list.source);
      follows.int4(count);
      follows.bytes(littleEndian(followees));
    } else if (list.type === 'relays') {
      version(relays, 6, account, list);
      relays.text(list.source);
      // jsonb's binary form: a version byte, then the text.
      relays.bytes(Buffer.concat([Buffer.of(1), Buffer.from(JSON.stringify(list.entries))]));
    } else {
      version(profiles, 5, account, list);
      profiles.text(list.name);
    }
  }
  if (follows.rows > 0)
    await upsert(
      tx,
      'follow_lists',
      ['created_at', 'list_id', 'signed', 'source', 'followee_count', 'followees'],
      follows,
    );
  if (relays.rows > 0)
    await upsert(tx, 'relay_lists', ['created_at', 'list_id', 'signed', 'source', 'entries'], relays);
  if (profiles.rows > 0) await upsert(tx, 'profiles', ['created_at', 'list_id', 'signed', 'name'], profiles);
}

function version(rows: CopyRows, fields: number, account: number, list: ArrivingVersion): void {
  rows.row(fields);
  rows.int4(account);
  rows.int8(list.createdAt);
  rows.bytes(Buffer.from(list.id, 'hex'));
  rows.bool(list.signed);
}

/** Copies rows into a temporary twin of the table (no write-ahead log), then merges them. `columns` without account_id. */
async function upsert(tx: TransactionSql, table: string, columns: string[], rows: CopyRows): Promise<void> {
  const all = ['account_id', ...columns].join(', ');
  const set = columns.map((column) => `${column} = excluded.${column}`).join(', ');
  const stage = `stage_${table}`;
  await tx.unsafe(
    `create temporary table if not exists ${stage} on commit delete rows as select ${all} from ${table} with no data`,
  );
  await copyIn(tx, `${stage} (${all})`, rows);
  await tx.unsafe(
    `insert into ${table} (${all}) select ${all} from ${stage} on conflict (account_id) do update set ${set}`,
  );
}

function littleEndian(values: Uint32Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  for (let i = 0; i < values.length; i++) bytes.writeUInt32LE(values[i]!, i * 4);
  return bytes;
}
