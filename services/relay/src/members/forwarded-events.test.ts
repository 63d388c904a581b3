import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Filter, NostrEvent } from '@covey/nostr';
import { ForwardedEvents } from './forwarded-events.ts';

const author = 'a'.repeat(64);
const event = (n: number, fields: Partial<NostrEvent> = {}): NostrEvent => ({
  id: n.toString(16).padStart(64, '0'),
  pubkey: author,
  created_at: n,
  kind: 1,
  tags: [],
  content: '',
  sig: '',
  ...fields,
});

describe('events forwarded lately', () => {
  let nowMs = 0;
  const found = (kept: ForwardedEvents, filter: Partial<Filter>) =>
    kept.find({ tags: {}, ...filter }).map(({ createdAt }) => createdAt);

  it('are found by any filter, while they are fresh and not expired', () => {
    const kept = new ForwardedEvents(() => nowMs);
    kept.add(event(1));
    kept.add(event(2, { kind: 7 }));
    kept.add(event(3, { pubkey: 'b'.repeat(64), tags: [['expiration', '300']] }));
    assert.deepEqual(found(kept, { authors: [author] }), [1, 2]);
    assert.deepEqual(found(kept, { authors: [author], kinds: [7] }), [2]);
    assert.deepEqual(found(kept, { ids: [event(3).id, event(9).id] }), [3]);
    assert.deepEqual(found(kept, { kinds: [1] }), [1, 3]);
    nowMs = 300_000;
    assert.deepEqual(found(kept, { ids: [event(3).id] }), []);
    nowMs = 600_000;
    assert.deepEqual(found(kept, { authors: [author] }), []);
  });

  it('go when they are deleted or refused, and are bounded', () => {
    const kept = new ForwardedEvents(() => nowMs);
    for (let n = 1; n <= 5100; n++) kept.add(event(n));
    assert.equal(found(kept, { authors: [author] }).length, 5000);
    assert.equal(found(kept, { authors: [author] })[0], 101);
    kept.remove(event(200).id);
    kept.add(event(9000, { kind: 5, tags: [['e', event(201).id]] }));
    kept.add(event(9001, { kind: 5, pubkey: 'b'.repeat(64), tags: [['e', event(202).id]] }));
    const left = found(kept, { authors: [author] });
    assert.ok(!left.includes(200) && !left.includes(201) && left.includes(202));
    const address = `30023:${author}:d`;
    for (const at of [9100, 9102]) kept.add(event(at, { kind: 30_023, tags: [['d', 'd']] }));
    kept.add(event(9101, { kind: 5, pubkey: 'b'.repeat(64), tags: [['a', address]] }));
    kept.add(event(9101, { kind: 5, tags: [['a', address]] }));
    assert.deepEqual(found(kept, { kinds: [30_023] }), [9102]);
    for (const at of [9200, 9202, 9201]) kept.add(event(at, { kind: 0 }));
    assert.deepEqual(found(kept, { kinds: [0] }), [9202]);
    assert.equal(kept.has(event(9200).id), false);
    for (let n = 10_000; n < 10_010; n++) kept.add(event(n, { content: 'x'.repeat(4_000_000) }));
    assert.ok(found(kept, { authors: [author] }).length <= 4);
  });
});
