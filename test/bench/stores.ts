import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { NostrEvent } from '@covey/nostr';
import { tagKeys } from '../../services/relay/src/store/keys.ts';
import { openSqliteStore, SQLITE_FILE } from '../../services/relay/src/store/sqlite/open-sqlite-store.ts';

/**
 * A member's SQLite store beside a prototype of its hot paths in LMDB: durable writes in groups, and REQs of ten authors
 * with a limit of 100, in one process, per second of CPU time. LMDB_DIR names a folder where npm's lmdb is installed; without
 * it SQLite is measured alone. The prototype keeps the same indexes, and lacks what costs the store more: replaceable
 * events, deletions, vanishing, search, spool, checks of expiry, bounds.
 */
const LIMIT = 100;
const AUTHORS = 200;

interface Candidate {
  /** Durable when it settles. */
  write(events: readonly NostrEvent[]): Promise<void>;
  /** JSON of the newest notes of these authors. */
  read(authors: readonly string[]): string[];
  bytes(): number;
  close(): Promise<void>;
}

function sqlite(dir: string): Candidate {
  const store = openSqliteStore({
    dir,
    spool: { perMemberMax: 1, bytesMax: 1 },
    writesWaitingMax: 100_000,
    clock: Date.now,
  });
  const options = { limitMax: LIMIT, bytesMax: 1e9, now: 1_700_000_000 };
  return {
    async write(events) {
      await Promise.all(events.map((event) => store.events.write({ event, keep: true })));
    },
    read(authors) {
      const answer = store.events.query(
        { authors: [...authors], kinds: [1], limit: LIMIT, tags: {} },
        options,
      );
      if (answer instanceof Promise) throw new Error('SQLite answers at once');
      return answer.events.map(({ json }) => json);
    },
    bytes: () => statSync(join(dir, SQLITE_FILE)).size,
    close: () => store.close(),
  };
}

/** The part of npm's lmdb that is used. */
interface Lmdb {
  open(options: object): LmdbStore;
}
interface LmdbStore {
  openDB(options: object): LmdbStore;
  transactionSync<T>(work: () => T): T;
  get(key: unknown): unknown;
  putSync(key: unknown, value: unknown): boolean;
  getRange(options: object): Iterable<{ key: Buffer; value: number }>;
  close(): Promise<void>;
}

function lmdb(dir: string, install: string): Candidate {
  const { open } = createRequire(join(install, 'package.json'))('lmdb') as Lmdb;
  const path = join(dir, 'events.mdb');
  // No overlapping sync: a transaction is on the disk when it returns, as with the store.
  const root = open({ path, overlappingSync: false, maxDbs: 8, mapSize: 4 * 1024 ** 3 });
  const events = root.openDB({ name: 'events', keyEncoding: 'uint32', encoding: 'string' });
  const ids = root.openDB({ name: 'ids', keyEncoding: 'binary', encoding: 'ordered-binary' });
  const index = root.openDB({ name: 'index', keyEncoding: 'binary', encoding: 'ordered-binary' });
  let seq = 0;
  /** Prefix, then newest first, then lowest id. */
  const key = (prefix: Buffer, event: NostrEvent) => {
    const place = Buffer.alloc(14);
    place.writeBigUInt64BE(0xffffffffffffffffn - BigInt(event.created_at));
    place.write(event.id.slice(0, 12), 8, 'hex');
    return Buffer.concat([prefix, place]);
  };
  const author = (pubkey: string, kind?: number) =>
    Buffer.from(
      kind === undefined ? `a${pubkey}` : `b${pubkey}${kind.toString(16).padStart(4, '0')}`,
      'latin1',
    );
  return {
    async write(batch) {
      root.transactionSync(() => {
        for (const event of batch) {
          const id = Buffer.from(event.id, 'hex');
          if (ids.get(id) !== undefined) continue;
          const at = ++seq;
          ids.putSync(id, at);
          events.putSync(at, JSON.stringify(event));
          for (const prefix of [
            author(event.pubkey, event.kind),
            author(event.pubkey),
            Buffer.from(`k${event.kind.toString(16).padStart(4, '0')}`),
            Buffer.from('t'),
            ...tagKeys(event).map((tag) => Buffer.concat([Buffer.from('#'), tag])),
          ])
            index.putSync(key(prefix, event), at);
        }
      });
    },
    read(authors) {
      // Of each range no more than the answer has, then the newest of all.
      const rows = authors.flatMap((pubkey) => {
        const start = author(pubkey, 1);
        const end = Buffer.concat([start, Buffer.alloc(15, 0xff)]);
        return [...index.getRange({ start, end, limit: Math.ceil((2 * (LIMIT + 1)) / authors.length) })].map(
          (row) => ({ place: Buffer.from(row.key.subarray(start.length)), seq: row.value }),
        );
      });
      rows.sort((a, b) => Buffer.compare(a.place, b.place));
      return rows.slice(0, LIMIT).map((row) => events.get(row.seq) as string);
    },
    bytes: () => statSync(path).size,
    close: () => root.close(),
  };
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { events: { type: 'string', default: '40000' }, reads: { type: 'string', default: '2000' } },
  });
  const events = makeEvents(Number(values.events));
  const install = process.env['LMDB_DIR'];
  const results: Record<string, object> = {};
  const candidates = { sqlite, ...(install ? { lmdb: (dir: string) => lmdb(dir, install) } : {}) };
  for (const [name, open] of Object.entries(candidates)) {
    const dir = mkdtempSync(join(tmpdir(), 'covey-bench-'));
    const candidate = open(dir);
    const writes: Record<string, number> = {};
    let at = 0;
    for (const group of [16, 128]) {
      const half = events.slice(at, at + events.length / 2);
      at += half.length;
      const used = await cpuSeconds(async () => {
        for (let i = 0; i < half.length; i += group) await candidate.write(half.slice(i, i + group));
      });
      writes[group] = Math.round(half.length / used);
    }
    const reads = Number(values.reads);
    let read = 0;
    const ask = (n: number) =>
      candidate.read(Array.from({ length: 10 }, (_, i) => pubkey((13 * n + i) % AUTHORS)));
    for (let n = 0; n < 200; n++) ask(n);
    const used = await cpuSeconds(async () => {
      for (let n = 0; n < reads; n++) read += ask(n).length;
    });
    results[name] = {
      writesPerCpuSecondInGroupsOf: writes,
      eventsReadPerCpuSecond: Math.round(read / used),
      bytesAnEvent: Math.round(candidate.bytes() / events.length),
    };
    await candidate.close();
    rmSync(dir, { recursive: true, force: true });
  }
  if (!install) results['lmdb'] = { absent: 'LMDB_DIR names no installation' };
  console.log(JSON.stringify(results, null, 2));
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const pubkey = (n: number) => digest(`author ${n}`);

/** Neither store looks at signatures. */
function makeEvents(count: number): NostrEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    id: digest(`event ${i}`),
    pubkey: pubkey(i % AUTHORS),
    created_at: 1_600_000_000 + i,
    kind: 1,
    tags: [
      ['e', digest(`parent ${i % 5000}`)],
      ['p', pubkey((i + 1) % AUTHORS)],
    ],
    content: `note ${i} ${'birds of a feather '.repeat(6)}`,
    sig: digest(`r ${i}`) + digest(`s ${i}`),
  }));
}

/** User and system time of the process. */
async function cpuSeconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

if (import.meta.main) await run(process.argv.slice(2));
