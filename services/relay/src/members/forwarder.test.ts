import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import { CommitQueue } from '../store/sqlite/commit-queue.ts';
import { openDatabase } from '../store/sqlite/database.ts';
import { SqliteSpool } from '../store/sqlite/sqlite-spool.ts';
import { Forwarder } from './forwarder.ts';
import type { MemberLinks } from './member-links.ts';

const dir = mkdtempSync(join(tmpdir(), 'covey-forwarder-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function event(n: number): NostrEvent {
  const id = n.toString(16).padStart(64, '0');
  return {
    id,
    pubkey: 'a'.repeat(64),
    created_at: 1,
    kind: 1,
    tags: [],
    content: '',
    sig: 'f'.repeat(128),
  };
}

test('an event that waits for one member already still goes to another that is added later', async () => {
  const db = openDatabase(join(dir, 'events.sqlite'));
  const commits = new CommitQueue(db, { delayMs: 0, batchMax: 100, waitingMax: 100 });
  const spool = new SqliteSpool(db, commits, { perMemberMax: 100, bytesMax: 1e6 });
  const sent: string[] = [];
  let received = () => {};
  const up = {
    connected: true,
    healthy: true,
    retryInMs: 0,
    publish: async ({ id }: NostrEvent) => {
      sent.push(id);
      received();
      return { accepted: true, message: '' };
    },
  };
  // `down` leaves every event unanswered: what waits for it stays in the spool.
  const down = { ...up, publish: () => new Promise<never>(() => {}) };
  const links = new Map<string, unknown>([
    ['up', up],
    ['down', down],
  ]) as unknown as MemberLinks;
  new Forwarder({
    spool,
    links,
    clock: () => 0,
    log: { warn: () => {} },
    onDelivered: () => {},
    onGivenUp: () => {},
    onAnswer: () => {},
  });
  const add = (n: number, destinations: string[]) =>
    commits.run(() => spool.add(event(n), { hops: 1, destinations }, 0));
  const arrives = (n: number) =>
    new Promise<void>((resolve) => {
      received = () => sent.includes(event(n).id) && resolve();
      received();
    });

  await add(1, ['down']);
  await add(2, ['up']);
  await arrives(2);
  await add(1, ['up']); // a hand-over: the entry is older than what `up` was sent last
  await arrives(1);
  assert.deepEqual(sent, [event(2).id, event(1).id]);
  while (spool.waitingFor('up') > 0) await new Promise((resolve) => setImmediate(resolve));
  db.close();
});
