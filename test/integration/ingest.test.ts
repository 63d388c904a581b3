import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import type { IngestSource } from '@covey/jobs';
import { type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';
import { loadGraph, namesOf, recentRuns } from '@covey/postgres';
import fc from 'fast-check';
import { ExaminerPool, runIngest } from '../../services/coordinator/src/ingest/index.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { type IngestDatabase, standingFollows, startIngestDatabase } from './ingest-database.ts';

const NOW_MS = 1_750_000_000_000;
const vectors = join(import.meta.dirname, '..', 'vectors', 'ingest');
const directory = temporaryDirectory('ingest');
let database: IngestDatabase;
let examiners: ExaminerPool;
let files = 0;

before(async () => {
  database = await startIngestDatabase();
  examiners = new ExaminerPool(1);
});
beforeEach(() => database.reset());
after(async () => {
  await examiners?.close();
  await database?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function run(source: IngestSource, nowMs = NOW_MS) {
  return runIngest({ source, sql: database.sql, clock: () => nowMs, profile: 'public', examiners });
}

function file(content: string | Uint8Array): string {
  const path = join(directory, String(++files));
  writeFileSync(path, content);
  return path;
}

const events = (content: string | Uint8Array, nowMs?: number) =>
  run({ type: 'events', path: file(content) }, nowMs);
const lines = (list: readonly unknown[]) => list.map((item) => JSON.stringify(item)).join('\n');
const secretOf = (n: number) => n.toString(16).padStart(64, '0');

function follows(author: number, followed: readonly number[], created_at: number): NostrEvent {
  const secret = secretOf(author);
  const tags = followed.map((n) => ['p', publicKeyOf(secretOf(n))]);
  return signEvent({ pubkey: publicKeyOf(secret), kind: 3, created_at, tags, content: '' }, secret);
}

test('an export with one of everything that goes wrong: every line is counted, the right lists stand', async () => {
  const expected = JSON.parse(readFileSync(join(vectors, 'mixed.expected.json'), 'utf8'));
  const content = readFileSync(join(vectors, 'mixed.jsonl'));
  const report = await events(content);
  assert.equal(report.state, 'complete');
  assert.deepEqual(report.counts, expected.counts);
  assert.deepEqual(await standingFollows(database.sql), expected.follows);
  const { graph, relayLists } = await loadGraph(database.sql);
  const relays = relayLists.map(({ account, entries }) => [
    Buffer.from(graph.pubkeys.subarray(account * 32, account * 32 + 32)).toString('hex'),
    entries.map(({ url }) => url),
  ]);
  assert.deepEqual(Object.fromEntries(relays), expected.relays);

  const [recorded] = await recentRuns(database.sql, 1);
  assert.equal(recorded?.state, 'complete');
  assert.deepEqual(recorded?.counts, expected.counts);

  const again = await events(gzipSync(content));
  assert.deepEqual([again.counts.accepted, again.counts.changed], [0, 0], 'a second time nothing changes');
  assert.deepEqual([again.counts.read, again.counts.rejected], [report.counts.read, report.counts.rejected]);
  assert.deepEqual(await standingFollows(database.sql), expected.follows);
});

test('a list of 50,000 tags is too large, and the lists around it count', async () => {
  const tags = Array.from({ length: 50_000 }, (_, i) => ['p', secretOf(i)]);
  const huge = { ...follows(1, [2], 5), tags };
  const { counts } = await events(lines([follows(2, [1], 5), huge, follows(3, [1], 5)]));
  assert.deepEqual(counts.rejected, { 'too large': 1 });
  assert.equal(counts.accepted, 2);
});

test('a gzip file that is cut off: what came before counts, and the run says how far it came', async () => {
  const list = Array.from({ length: 300 }, (_, i) => follows(i + 1, [i + 2, i + 3], 5));
  const whole = gzipSync(lines(list));
  const cut = whole.subarray(0, Math.floor(whole.length / 2));
  const report = await events(cut);
  assert.equal(report.state, 'partial');
  assert.match(report.error ?? '', /cut off .* after \d+ bytes .*\(line \d+\)/);
  // Nothing that can be unpacked is lost: the last line is cut, the others are all there.
  const content = gunzipSync(cut, { finishFlush: constants.Z_SYNC_FLUSH }).toString();
  assert.deepEqual(report.counts.rejected, { 'broken json': 1 });
  assert.equal(report.counts.accepted, content.split('\n').length - 1);
  assert.ok(report.counts.accepted > 100);
  const [recorded] = await recentRuns(database.sql, 1);
  assert.equal(recorded?.state, 'partial');

  const damaged = Buffer.from(whole);
  damaged.fill(0xff, 2_000, 3_000);
  assert.match((await events(damaged)).error ?? '', /gzip stream is damaged/);
});

test('a file that is not there, and a folder, end the run at once', async () => {
  const gone = await run({ type: 'events', path: '/nowhere/at-all' });
  assert.deepEqual([gone.state, gone.counts.read], ['partial', 0]);
  assert.match(gone.error ?? '', /can't be read/);
  assert.match((await run({ type: 'events', path: directory })).error ?? '', /not a file/);
});

test('a list dated 2099 waits for its day and then counts; one that is due first is kept for each author', async () => {
  const soon = follows(1, [2, 3], NOW_MS / 1000 + 7_200);
  const far = follows(1, [4], 4_070_908_800);
  const today = follows(1, [5], NOW_MS / 1000);
  const { counts } = await events(lines([far, soon, far, today]));
  assert.deepEqual(counts.rejected, { future: 3 });
  assert.equal(counts.accepted, 1);
  const later = await run({ type: 'set-aside' }, NOW_MS + 8_000_000);
  assert.deepEqual([later.counts.accepted, later.counts.replaced], [1, 1]);
  const [left] = await database.sql`select count(*)::int as n from future_lists`;
  assert.equal(left?.['n'], 0);
  assert.equal((await standingFollows(database.sql))[publicKeyOf(secretOf(1))]?.length, 2);
});

test('the same events in any order and any number of runs give the same graph', async () => {
  const pool = [1, 2, 3].flatMap((author) =>
    [10, 10, 20, 30].map((date, i) => follows(author, [author + 1 + i, 5, 6], date)),
  );
  const expected: Record<string, string> = {};
  for (const event of pool.toSorted((a, b) => a.created_at - b.created_at || (a.id > b.id ? -1 : 1)))
    expected[event.pubkey] = event.id;
  let digest: string | undefined;
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(pool, { minLength: pool.length }),
      fc.nat(pool.length),
      async (order, cut) => {
        await database.reset();
        for (const part of [order.slice(0, cut), order.slice(cut)]) await events(lines(part));
        const loaded = await loadGraph(database.sql);
        assert.equal(loaded.digest, (digest ??= loaded.digest));
        const rows = await database.sql<{ author: string; id: string }[]>`
          select encode(a.pubkey, 'hex') as author, encode(l.list_id, 'hex') as id
          from follow_lists l join accounts a on a.id = l.account_id`;
        assert.deepEqual(Object.fromEntries(rows.map(({ author, id }) => [author, id])), expected);
      },
    ),
    { numRuns: 12 },
  );
});

test('counts do not depend on where batches are cut: each record is decided as if it came alone', async () => {
  const order = [follows(1, [2], 10), follows(1, [3], 20), follows(1, [2], 10), follows(1, [4], 30)];
  const together = await events(lines(order));
  await database.reset();
  const alone = { accepted: 0, replaced: 0, stale: 0, duplicate: 0 };
  for (const event of order) {
    const { counts } = await events(lines([event]));
    for (const field of ['accepted', 'replaced', 'stale', 'duplicate'] as const)
      alone[field] += counts[field];
  }
  const { accepted, replaced, stale, duplicate } = together.counts;
  assert.deepEqual({ accepted, replaced, stale, duplicate }, alone);
});

test('unsigned lists need to be asked for, yield to signed ones of any date, and never replace them', async () => {
  const [a, b, c] = [1, 2, 3].map((n) => publicKeyOf(secretOf(n))) as [string, string, string];
  const path = file(`${a} ${b}\n${b} ${c}\n`);
  await assert.rejects(run({ type: 'edges', path, unsigned: false }), /--unsigned/);
  await events(lines([follows(1, [3], 1)]));
  const edges = await run({ type: 'edges', path, unsigned: true });
  assert.deepEqual([edges.counts.accepted, edges.counts.yields], [1, 1]);
  const signed = await events(lines([follows(2, [1], 1)]));
  assert.equal(signed.counts.replaced, 1);
  assert.deepEqual(await standingFollows(database.sql), { [a]: [c], [b]: [a] });
  const { graph } = await loadGraph(database.sql);
  assert.deepEqual([graph.signedLists, graph.unsignedLists], [2, 0]);
});

test('the crawl of nostr-social-graph: 29,827 accounts, 215,216 follows, with names', async () => {
  await assert.rejects(run({ type: 'snapshot', unsigned: false }), /--unsigned/);
  const report = await run({ type: 'snapshot', unsigned: true });
  assert.equal(report.counts.follows, 215_216);
  const { graph, digest } = await loadGraph(database.sql);
  assert.deepEqual([graph.nodes, graph.edges, graph.unsignedLists], [29_827, 215_216, 526]);
  for (let i = 1; i < graph.nodes; i++)
    assert.ok(
      Buffer.compare(
        graph.pubkeys.subarray(i * 32 - 32, i * 32),
        graph.pubkeys.subarray(i * 32, i * 32 + 32),
      ) < 0,
      'ascending by public key',
    );
  assert.ok((await namesOf(database.sql, [...graph.ids])).size > 19_000);
  const again = await run({ type: 'snapshot', unsigned: true });
  assert.deepEqual([again.counts.accepted, again.counts.changed], [0, 0]);
  assert.equal((await loadGraph(database.sql)).digest, digest);
});

test('an account that nobody follows any more, and that has no list, leaves the graph', async () => {
  await events(lines([follows(1, [2, 3], 10)]));
  assert.equal((await loadGraph(database.sql)).graph.nodes, 3);
  await events(lines([follows(1, [2], 20)]));
  assert.equal((await loadGraph(database.sql)).graph.nodes, 2);
  await events(lines([follows(1, [], 30)]));
  const { graph } = await loadGraph(database.sql);
  assert.deepEqual([graph.nodes, graph.edges, [...graph.offsets]], [1, 0, [0, 0]]);
});
