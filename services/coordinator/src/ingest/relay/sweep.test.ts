import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RelayCursor } from '@covey/postgres';
import fc from 'fast-check';
import type { Page, PageEvent, PageRequest } from './relay-page.ts';
import { nextCursor, sweep } from './sweep.ts';

const start: RelayCursor = {
  url: 'wss://r',
  kind: 3,
  sweepTop: 1_000,
  nextUntil: 1_000,
  floor: 0,
  done: false,
};

/** A relay that keeps to NIP-01 and gives at most `cap` events at a time. */
function relayOf(dates: readonly number[], cap: number) {
  const events: PageEvent[] = dates
    .map((createdAt, i) => ({ id: String(i).padStart(6, '0'), createdAt, message: Buffer.from(String(i)) }))
    .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
  let pages = 0;
  const ask = async ({ since, until, limit }: PageRequest): Promise<Page> => {
    assert.ok(++pages < 5_000, 'the sweep does not end');
    const fitting = events.filter(({ createdAt }) => createdAt >= since && createdAt <= until);
    return { events: fitting.slice(0, Math.min(limit, cap)), stray: 0, unusable: [], end: 'eose' };
  };
  return { ask, pages: () => pages };
}

async function readAll(
  ask: (r: PageRequest) => Promise<Page>,
  cursor = start,
  limits = { pageEvents: 10, pageEventsMax: 100 },
) {
  const read: string[] = [];
  let crowded = 0;
  let last = cursor;
  for await (const step of sweep(ask, cursor, limits)) {
    read.push(...step.messages.map((message) => Buffer.from(message).toString()));
    if (step.crowdedSecond) crowded++;
    assert.ok(step.cursor.done || step.cursor.nextUntil <= last.nextUntil, 'never forward');
    last = step.cursor;
  }
  return { read, crowded, last };
}

test('every event is read once, however dates fall together, and the sweep ends', async () => {
  const dates = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 90 });
  await fc.assert(
    fc.asyncProperty(dates, async (found) => {
      const { read, last } = await readAll(relayOf(found, 100).ask);
      assert.equal(read.length, found.length);
      assert.equal(new Set(read).size, found.length);
      assert.ok(last.done);
    }),
  );
});

test('more events of one second than the relay gives: the sweep goes on behind it, and says so', async () => {
  const dates = [...Array<number>(30).fill(500), 499, 498, 501];
  const { read, crowded, last } = await readAll(relayOf(dates, 8).ask);
  assert.ok(last.done);
  assert.ok(crowded >= 1);
  for (const reachable of [30, 31, 32]) assert.ok(read.includes(String(reachable)));
});

test('a second that fills several pages is read whole when the relay gives larger ones', async () => {
  const { read, crowded } = await readAll(relayOf([...Array<number>(60).fill(500), 499], 100).ask);
  assert.equal(new Set(read).size, 61);
  assert.equal(crowded, 0);
});

test('an interrupted sweep goes on where it stopped', async () => {
  const dates = Array.from({ length: 200 }, (_, i) => i);
  const relay = relayOf(dates, 100);
  const read = new Set<string>();
  let cursor = start;
  let steps = 0;
  for await (const step of sweep(relay.ask, start, { pageEvents: 10, pageEventsMax: 100 })) {
    for (const message of step.messages) read.add(Buffer.from(message).toString());
    cursor = step.cursor;
    if (++steps === 5) break;
  }
  const before = read.size;
  const rest = await readAll(relay.ask, cursor);
  for (const message of rest.read) read.add(message);
  assert.equal(read.size, 200);
  assert.ok(rest.read.length <= 200 - before + 1, 'only the last second is read twice');
});

test('a new sweep goes back to the start of the last complete one, with a day to spare', () => {
  const now = 2_000_000;
  const first = nextCursor(undefined, { url: 'wss://r', kind: 3, now });
  assert.deepEqual([first.floor, first.nextUntil], [0, now + 900]);
  assert.equal(nextCursor(first, { url: 'wss://r', kind: 3, now: now + 5 }), first, 'not done: goes on');
  const second = nextCursor({ ...first, done: true }, { url: 'wss://r', kind: 3, now: now + 5_000 });
  assert.deepEqual([second.floor, second.nextUntil], [now + 900 - 86_400, now + 5_900]);
});

test('a relay that gives the same whatever is asked, or the oldest first, is given up', async () => {
  const stuck = async (): Promise<Page> => ({ events: [], stray: 3, unusable: [], end: 'eose' });
  await assert.rejects(readAll(stuck), /ignores the filter/);
  const event = (createdAt: number) => ({
    id: `${createdAt}`,
    createdAt,
    message: Buffer.from(`${createdAt}`),
  });
  const backwards = async (): Promise<Page> => ({
    events: [event(1), event(2)],
    stray: 0,
    unusable: [],
    end: 'eose',
  });
  await assert.rejects(readAll(backwards), /newest first/);
});
