import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Filter, NostrEvent } from '@covey/nostr';
import { mergeAnswers, storedForm } from './merge-answers.ts';

const hex = (n: number) => n.toString(16).padStart(64, '0');
const event = (id: number, created_at: number, fields: Partial<NostrEvent> = {}): NostrEvent => ({
  id: hex(id),
  pubkey: hex(1),
  created_at,
  kind: 1,
  tags: [],
  content: '',
  sig: '',
  ...fields,
});
const all: Filter = { tags: {} };
const merge = (filters: Filter[], here: NostrEvent[][], remote: NostrEvent[], limitMax = 100) => {
  const { events, cut } = mergeAnswers(
    filters,
    here.map((list) => list.map(storedForm)),
    remote,
    limitMax,
  );
  return { ids: events.map((e) => Number.parseInt(e.id, 16)), cut };
};

describe('merging answers', () => {
  it('orders by age, then id, and keeps each event once', () => {
    const [a, b, c] = [event(1, 10), event(2, 20), event(3, 10)];
    assert.deepEqual(merge([all], [[b, a]], [c, b]), { ids: [2, 1, 3], cut: false });
    assert.deepEqual(
      merge(
        [all, { kinds: [1], tags: {} }],
        [
          [b, a],
          [b, a],
        ],
        [],
      ),
      { ids: [2, 1], cut: false },
    );
  });

  it('keeps the newest of a replaceable event that is here in an older version', () => {
    const old = event(1, 10, { kind: 0 });
    const fresh = event(2, 20, { kind: 0 });
    assert.deepEqual(merge([all], [[old]], [fresh]).ids, [2]);
    assert.deepEqual(merge([all], [[fresh]], [old]).ids, [2]);
    assert.deepEqual(merge([all], [[event(5, 10, { kind: 0 })]], [event(4, 10, { kind: 0 })]).ids, [4]);
  });

  it('keeps each filter’s own limit over all that was found, and says when it cut', () => {
    const filters: Filter[] = [
      { kinds: [1], limit: 2, tags: {} },
      { kinds: [7], limit: 1, tags: {} },
    ];
    const here = [[event(1, 10)], [event(2, 5, { kind: 7 })]];
    const remote = [event(3, 11), event(4, 9), event(5, 6, { kind: 7 })];
    assert.deepEqual(merge(filters, here, remote), { ids: [3, 1, 5], cut: true });
    assert.deepEqual(merge([all], [[event(1, 1)]], [event(2, 2), event(3, 3)], 2), {
      ids: [3, 2],
      cut: true,
    });
  });
});
