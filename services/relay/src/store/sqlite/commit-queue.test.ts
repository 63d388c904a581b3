import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { CommitQueue } from './commit-queue.ts';

/** A database that notes what it is told, and fails when asked to. */
function fakeDatabase(fails: (sql: string) => boolean = () => false) {
  const log: string[] = [];
  const db = {
    isTransaction: false,
    exec(sql: string) {
      log.push(sql);
      if (fails(sql)) throw new Error(`${sql} failed`);
      db.isTransaction = sql.startsWith('BEGIN');
    },
  };
  return { db: db as unknown as DatabaseSync, log };
}

describe('group commit', () => {
  const options = { delayMs: 0, batchMax: 10, waitingMax: 100 };

  it('tells of results after the commit that holds them, never before', async () => {
    const { db, log } = fakeDatabase();
    const queue = new CommitQueue(db, options);
    const write = (name: string) =>
      queue
        .run(() => {
          log.push(name);
          return name;
        })
        .then((result) => log.push(`told ${result}`));
    await Promise.all([write('a'), write('b')]);
    assert.deepEqual(log, ['BEGIN IMMEDIATE', 'a', 'b', 'COMMIT', 'told a', 'told b']);
  });

  it('tells of failure when the commit fails, and has counts made anew', async () => {
    const { db, log } = fakeDatabase((sql) => sql === 'COMMIT');
    const queue = new CommitQueue(db, options);
    let recounts = 0;
    queue.onRollback(() => recounts++);
    const results = await Promise.allSettled([queue.run(() => 1), queue.run(() => 2)]);
    assert.deepEqual(
      results.map((r) => r.status),
      ['rejected', 'rejected'],
    );
    assert.equal(log.filter((line) => line === 'ROLLBACK').length, 3); // together, then each by itself
    assert.equal(recounts, 3);
  });

  it('keeps batches within their bound', async () => {
    const { db, log } = fakeDatabase();
    const queue = new CommitQueue(db, options);
    await Promise.all(Array.from({ length: 25 }, (_, i) => queue.run(() => i)));
    assert.equal(log.filter((line) => line === 'COMMIT').length, 3);
  });
});
