import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { ByteAllowance } from './byte-allowance.ts';
import { EventBatches } from './event-batches.ts';

const event = (n: number, content = 'x'.repeat(n)) => ({
  id: String(n),
  createdAt: n,
  json: JSON.stringify({ id: String(n), content }),
});

describe('batches', () => {
  it('are the same object for all who received the same, so that their text and compressed form are made once', async () => {
    const batches = new EventBatches(5);
    const [a, b, c] = [1, 2, 3].map(() => batches.start(undefined).with(event(1)).with(event(2)));
    assert.equal(a, b);
    assert.equal(a, c);
    assert.equal(a!.deflated, b!.deflated);
    assert.equal(inflateRawSync((await a!.deflated)!).toString(), a!.list);
    assert.equal(a!.list, `[${event(1).json},${event(2).json}]`);
    assert.equal(a!.size, 2);
    assert.notEqual(a, batches.start(undefined).with(event(2)).with(event(1)));
    const short = batches.start(1).with(event(1)).with(event(2));
    assert.equal(short.list, `[${event(1).json},{"id":"2","contentBytes":2}]`);
  });

  it('end together, each once, and begin anew', async () => {
    const batches = new EventBatches(5);
    const before = batches.start(undefined).with(event(1));
    let flushed = 0;
    const forgotten = () => assert.fail('it was closed');
    await new Promise<void>((resolve) => {
      const flush = () => {
        flushed++;
        resolve();
      };
      batches.atEnd(forgotten);
      batches.forget(forgotten);
      batches.atEnd(flush);
      batches.atEnd(flush);
    });
    assert.equal(flushed, 1);
    assert.notEqual(batches.start(undefined).with(event(1)), before);
  });

  it('go uncompressed when too many are being compressed', async () => {
    const batches = new EventBatches(5);
    const made = Array.from({ length: 80 }, (_, n) => batches.start(undefined).with(event(n)));
    const deflated = made.map((batch) => batch.deflated);
    assert.equal(deflated.filter((each) => each === undefined).length, 16);
    await Promise.all(deflated);
    assert.ok(made.at(-1)!.deflated);
  });
});

describe('an allowance of bytes', () => {
  it('fills up to a minute, and is paid back', () => {
    let nowMs = 0;
    const allowance = new ByteAllowance(600, () => nowMs);
    assert.equal(allowance.take(600), true);
    assert.equal(allowance.take(1), false);
    nowMs = 10_000;
    assert.equal(allowance.take(101), false);
    assert.equal(allowance.take(100), true);
    nowMs = 3_600_000;
    assert.equal(allowance.take(601), false);
    allowance.charge(5000);
    nowMs += 60_000;
    assert.equal(allowance.take(1), false, 'what was asked for by id is owed, at most a minute');
    nowMs += 60_000;
    assert.equal(allowance.take(600), true);
  });
});
