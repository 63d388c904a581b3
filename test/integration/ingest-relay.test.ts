import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type NostrEvent, publicKeyOf, signEvent } from '@covey/nostr';
import { readCursor } from '@covey/postgres';
import {
  ExaminerPool,
  IngestInterruptedError,
  type RelayLimits,
  runIngest,
} from '../../services/coordinator/src/ingest/index.ts';
import { waitFor } from '../support/wait-for.ts';
import { type IngestDatabase, startIngestDatabase } from './ingest-database.ts';
import { type Behaviour, FakeRelay } from './ingest-fake-relay.ts';

const NOW = 1_750_000_000;
let database: IngestDatabase;
let examiners: ExaminerPool;
const relays: FakeRelay[] = [];

before(async () => {
  database = await startIngestDatabase();
  examiners = new ExaminerPool(1);
});
beforeEach(() => database.reset());
after(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  await examiners?.close();
  await database?.stop();
});

const secretOf = (n: number) => n.toString(16).padStart(64, '0');

function list(author: number, created_at: number, kind = 3): NostrEvent {
  const secret = secretOf(author);
  const tags = kind === 3 ? [['p', publicKeyOf(secretOf(author + 1))]] : [['r', 'wss://relay.example.com']];
  return signEvent({ pubkey: publicKeyOf(secret), kind, created_at, tags, content: '' }, secret);
}

const lists = (count: number, date: (i: number) => number = (i) => NOW - i * 10) =>
  Array.from({ length: count }, (_, i) => list(i + 1, date(i)));

async function relayWith(events: NostrEvent[], behaviour: Partial<Behaviour> = {}): Promise<FakeRelay> {
  const relay = await FakeRelay.start(events, behaviour);
  relays.push(relay);
  return relay;
}

function run(
  relay: FakeRelay,
  limits: Partial<RelayLimits> = {},
  extra: { signal?: AbortSignal; now?: number } = {},
) {
  return runIngest({
    source: { type: 'relay', url: relay.url },
    sql: database.sql,
    clock: () => (extra.now ?? NOW) * 1000,
    profile: 'local',
    examiners,
    relayLimits: { idleMsMax: 300, ...limits },
    ...(extra.signal ? { signal: extra.signal } : {}),
  });
}

async function interrupted(promise: Promise<unknown>): Promise<IngestInterruptedError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof IngestInterruptedError, `expected an interruption, not ${error}`);
  return error;
}

test('follow lists and relay lists, page by page, and the next run asks for what is new', async () => {
  const relay = await relayWith([...lists(45), list(1, NOW, 10002), list(2, NOW, 10002)]);
  const first = await run(relay, { pageEvents: 10 });
  assert.equal(first.state, 'complete');
  assert.deepEqual([first.counts.read, first.counts.accepted, first.counts.duplicate], [47, 47, 0]);
  assert.ok(relay.requests.length >= 7, `${relay.requests.length} pages`);
  const cursor = await readCursor(database.sql, relay.url, 3);
  assert.ok(cursor?.done);

  relay.requests.length = 0;
  relay.events.push(list(99, NOW + 100_000));
  const second = await run(relay, {}, { now: NOW + 100_000 });
  assert.equal(second.counts.accepted, 1);
  assert.ok((relay.requests[0]?.filter.since ?? 0) > NOW - 90_000, 'not from the beginning of time');
});

test('equal dates at the end of a page lose nothing', async () => {
  const relay = await relayWith(lists(60, (i) => NOW - Math.floor(i / 12)));
  const { counts } = await run(relay, { pageEvents: 10, pageEventsMax: 40 });
  assert.deepEqual([counts.accepted, counts.crowdedSeconds], [60, 0]);
});

test('a second with more events than the relay ever gives does not hold up the rest, and is counted', async () => {
  const relay = await relayWith([...lists(30, () => NOW - 5), list(100, NOW), list(101, NOW - 6)], {
    cap: 10,
  });
  const { counts, state } = await run(relay, { pageEvents: 10, pageEventsMax: 40 });
  assert.equal(state, 'complete');
  assert.equal(counts.accepted, 12, 'the ten that it gives of that second, and both others');
  assert.ok(counts.crowdedSeconds >= 1);
});

test('a relay that never sends EOSE: what it sent counts, the run ends and may be tried again', async () => {
  const relay: FakeRelay = await relayWith(lists(5), {
    instead: (socket, { subscription }) => {
      for (const event of relay.events) socket.send(JSON.stringify(['EVENT', subscription, event]));
      return true;
    },
  });
  const { report } = await interrupted(run(relay));
  assert.equal(report.counts.accepted, 5);
  assert.match(report.error ?? '', /no EOSE/);
  assert.equal(await readCursor(database.sql, relay.url, 3), undefined, 'the page is asked for again');
});

test('a relay that sends all that was asked for and no EOSE is read on', async () => {
  const relay: FakeRelay = await relayWith(lists(30), {
    instead: (socket, request) => {
      const answer = relay.answer(request);
      if (answer.length < request.filter.limit) return false;
      for (const event of answer) socket.send(JSON.stringify(['EVENT', request.subscription, event]));
      return true;
    },
  });
  const { state, counts } = await run(relay, { pageEvents: 10, idleMsMax: 100 });
  assert.deepEqual([state, counts.accepted], ['complete', 30]);
});

test('garbage between the events is counted and harms nothing', async () => {
  const [a, b] = lists(2) as [NostrEvent, NostrEvent];
  const relay = await relayWith([a, b], {
    instead: (socket, request) => {
      const send = (value: unknown) => socket.send(JSON.stringify(value));
      if (request.number > 1) return false;
      send(['EVENT', request.subscription, a]);
      socket.send('this is no JSON');
      socket.send(Buffer.from([1, 2, 3]));
      socket.send(Buffer.from([0x7b, 0xff, 0xfe]), { binary: false });
      send(['EVENT', request.subscription, { ...a, id: 5 }]);
      send(['EVENT', request.subscription, null]);
      send(['EVENT', 'another', b]);
      send(['EVENT', request.subscription, list(7, NOW, 1)]);
      send({ not: 'a message' });
      send(['EVENT', request.subscription, { ...list(9, NOW - 5), content: 'forged' }]);
      send(['EVENT', request.subscription, b]);
      send(['EOSE', 'another']);
      send(['EOSE', request.subscription]);
      return true;
    },
  });
  const { state, counts } = await run(relay);
  assert.deepEqual([state, counts.accepted], ['complete', 2]);
  assert.deepEqual(counts.rejected, { 'broken json': 1, 'invalid utf-8': 1, malformed: 3, 'wrong id': 1 });
});

test('a flood is cut off', async () => {
  const noise = `["NOTICE","${'x'.repeat(100)}"]`;
  const relay = await relayWith(lists(3), {
    instead: async (socket) => {
      while (socket.readyState === socket.OPEN) {
        for (let i = 0; i < 1_000; i++) socket.send(noise);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return true;
    },
  });
  assert.match((await interrupted(run(relay))).message, /floods/);
});

test('more events than were asked for are taken as far as the bound, and reading goes on', async () => {
  const relay: FakeRelay = await relayWith(lists(50), {
    instead: (socket, { subscription, filter }) => {
      for (const event of relay.answer({ subscription, number: 0, filter: { ...filter, limit: 1_000 } }))
        socket.send(JSON.stringify(['EVENT', subscription, event]));
      socket.send(JSON.stringify(['EOSE', subscription]));
      return true;
    },
  });
  const { state, counts } = await run(relay, { pageEvents: 5 });
  assert.deepEqual([state, counts.accepted], ['complete', 50]);
});

test('an event over the size that counts does not end the reading; a message without end does', async () => {
  const huge = { ...list(3, NOW - 20), content: 'x'.repeat(1_200_000) };
  const relay = await relayWith([list(1, NOW), huge, list(2, NOW - 30)]);
  const { counts } = await run(relay);
  assert.deepEqual([counts.accepted, counts.rejected], [2, { 'too large': 1 }]);
  await database.reset();
  assert.match((await interrupted(run(relay, { messageBytesMax: 1_000_000 }))).message, /payload size/);
});

test('a relay that closes in the middle: the next run goes on from there', async () => {
  const relay: FakeRelay = await relayWith(lists(60), {
    instead: (socket, { number, subscription }) => {
      if (number !== 4) return false;
      socket.send(JSON.stringify(['NOTICE', 'going down']));
      socket.send(JSON.stringify(['EVENT', subscription, relay.events[0]]));
      socket.close(1001);
      return true;
    },
  });
  const { report } = await interrupted(run(relay, { pageEvents: 10 }));
  assert.match(report.error ?? '', /closed the connection \(1001\).*going down/);
  const before = report.counts.accepted;
  assert.ok(before >= 25, `${before} lists came`);
  relay.requests.length = 0;
  relay.behaviour = { cap: 500 };
  const rest = await run(relay, { pageEvents: 10 });
  assert.equal(before + rest.counts.accepted, 60);
  assert.ok((relay.requests[0]?.filter.until ?? NOW) < NOW - 200, 'not from the top again');
});

test('a relay that refuses says why; one that wants authentication is not asked again', async () => {
  const refuse = (reason: string) =>
    relayWith([], {
      instead: (socket, { subscription }) => {
        socket.send(JSON.stringify(['CLOSED', subscription, reason]));
        return true;
      },
    });
  assert.match((await interrupted(run(await refuse('error: busy')))).message, /refused: error: busy/);
  const report = await run(await refuse('auth-required: members only'));
  assert.equal(report.state, 'partial');
  assert.match(report.error ?? '', /members only/);
});

test('no connection is worth another try; a private address never is', async () => {
  const relay = await relayWith([]);
  await relay.stop();
  assert.match((await interrupted(run(relay))).message, /no connection/);
  const publicly = (url: string) =>
    runIngest({
      source: { type: 'relay', url },
      sql: database.sql,
      clock: () => NOW * 1000,
      profile: 'public',
      examiners,
    });
  for (const url of [
    'ws://127.0.0.1:1',
    'ws://[::1]:1',
    'wss://10.1.2.3',
    'ws://0x7f.1:1',
    'wss://router.lan',
    'wss://localhost',
  ])
    await assert.rejects(publicly(url), { name: 'InvalidSourceError', message: /private network/ }, url);
  await assert.rejects(publicly('wss://user:pass@relay.example.com'), { name: 'InvalidSourceError' });
});

test('a run that is told to stop ends at once, also while a relay is silent', async () => {
  const relay = await relayWith([], { instead: () => true });
  const stop = new AbortController();
  const running = interrupted(run(relay, { idleMsMax: 60_000 }, { signal: stop.signal }));
  await waitFor(() => relay.requests.length === 1, 'the first request');
  stop.abort();
  assert.match((await running).message, /stopped before the end/);
});

test('several relays at once share one graph', async () => {
  const events = lists(40);
  const crowd = await Promise.all([0, 1, 2, 3].map((i) => relayWith(events.slice(i * 8, i * 8 + 16))));
  const reports = await Promise.all(crowd.map((relay) => run(relay, { pageEvents: 5 })));
  const accepted = reports.reduce((sum, { counts }) => sum + counts.accepted, 0);
  assert.equal(accepted, 40);
});

test('killed in the middle, it loses nothing that a cursor has passed, and the next run goes on', async () => {
  let slow = true;
  const relay: FakeRelay = await relayWith(lists(80), {
    cap: 2,
    instead: async () => {
      if (slow) await delay(60);
      return false;
    },
  });
  const main = join(import.meta.dirname, '../../services/coordinator/src/ingest/main.ts');
  const child = fork(main, [JSON.stringify({ type: 'relay', url: relay.url })], {
    env: { ...process.env, DATABASE_URL: database.url, COVEY_PROFILE: 'local' },
    stdio: 'ignore',
  });
  await waitFor(async () => (await readCursor(database.sql, relay.url, 3)) !== undefined, 'a cursor');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const cursor = await readCursor(database.sql, relay.url, 3);
  const [stored] = await database.sql<{ n: number }[]>`select count(*)::int as n from follow_lists`;
  const passed = relay.events.filter(({ created_at }) => created_at > (cursor?.nextUntil ?? 0)).length;
  assert.ok(passed > 0 && passed < 80, `${passed} passed`);
  assert.ok((stored?.n ?? 0) >= passed, `${stored?.n} stored`);
  slow = false;
  relay.requests.length = 0;
  await run(relay, { pageEvents: 10 });
  assert.equal(relay.requests[0]?.filter.until, cursor?.nextUntil);
  const [all] = await database.sql<{ n: number }[]>`select count(*)::int as n from follow_lists`;
  assert.equal(all?.n, 80);
});
