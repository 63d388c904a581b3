import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import fc from 'fast-check';
import { type Listener, LiveIndex } from './live-index.ts';

const hex = (n: number) => n.toString(16).padStart(64, 'a');
const letters = fc.constantFrom('e', 'p', 't');
const values = fc.constantFrom('x', 'y', hex(1));
const anEvent: fc.Arbitrary<NostrEvent> = fc.record({
  id: fc.integer({ min: 1, max: 20 }).map(hex),
  pubkey: fc.integer({ min: 1, max: 4 }).map(hex),
  created_at: fc.integer({ min: 1, max: 9 }),
  kind: fc.integer({ min: 1, max: 3 }),
  tags: fc.array(
    fc.oneof(
      fc.tuple(letters, values).map((tag) => [...tag]),
      fc.constant<string[]>(['t']),
      fc.constant<string[]>([]),
    ),
    { maxLength: 4 },
  ),
  content: fc.constant(''),
  sig: fc.constant(''),
});
const some = <T>(a: fc.Arbitrary<T>) => fc.uniqueArray(a, { maxLength: 3 });
const aFilter = fc.record(
  {
    ids: some(fc.integer({ min: 1, max: 20 }).map(hex)),
    authors: some(fc.integer({ min: 1, max: 4 }).map(hex)),
    kinds: some(fc.integer({ min: 1, max: 3 })),
    since: fc.integer({ min: 1, max: 9 }),
    until: fc.integer({ min: 1, max: 9 }),
    tags: fc.dictionary(letters, some(values), { maxKeys: 2 }),
  },
  { requiredKeys: ['tags'] },
) as fc.Arbitrary<Filter>;

describe('live index', () => {
  it('delivers to exactly those whose filters fit, once each', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(aFilter, { minLength: 1, maxLength: 3 }), { maxLength: 8 }),
        anEvent,
        fc.nat(),
        (subscriptions, event, gone) => {
          const index = new LiveIndex();
          const got: number[] = [];
          const listeners = subscriptions.map(
            (filters, i): Listener => ({ filters, deliver: () => void got.push(i) }),
          );
          for (const listener of listeners) index.add(listener);
          const removed = gone % (listeners.length + 1);
          if (listeners[removed]) index.remove(listeners[removed]);
          index.publish(event, '');
          const want = subscriptions.flatMap((filters, i) =>
            i !== removed && filters.some((f) => matchesFilter(f, event)) ? [i] : [],
          );
          assert.deepEqual(got.sort(), want);
          assert.equal(index.size, listeners.length - (listeners[removed] ? 1 : 0));
        },
      ),
      { seed: 3, numRuns: 3000 },
    );
  });
});
