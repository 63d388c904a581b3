import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NostrEvent } from './event.ts';
import { filterToJson, matchesFilter, parseFilter } from './filter.ts';
import { queryWords, searchedText, wordsOf } from './search.ts';

const event = (fields: Partial<NostrEvent>): NostrEvent => ({
  id: '0'.repeat(64),
  pubkey: '1'.repeat(64),
  created_at: 1,
  kind: 1,
  tags: [],
  content: '',
  sig: '0'.repeat(128),
  ...fields,
});
const fits = (search: string, fields: Partial<NostrEvent>) =>
  matchesFilter(parseFilter({ search }, { valuesMax: 10 }), event(fields));

test('words are compared without case, diacritics or punctuation; scripts without spaces by character', () => {
  assert.deepEqual(wordsOf('Crème brûlée, crème — 42!'), ['creme', 'brulee', '42']);
  assert.deepEqual(wordsOf('ＡＢＣ漢字かな x'), ['abc', '漢', '字', 'か', 'な', 'x']);
  assert.deepEqual(queryWords('best nostr apps language:en include:spam'), ['best', 'nostr', 'apps']);
  assert.deepEqual(queryWords('https://example.com'), ['https', 'example', 'com']);
});

test('every word must be there, in kinds 0, 1 and 30023 alone', () => {
  assert.ok(fits('Nostr bird', { content: 'a BIRD on nostr' }));
  assert.ok(!fits('nostr birds', { content: 'a bird on nostr' }));
  assert.ok(!fits('bird', { kind: 7, content: 'bird' }));
  assert.ok(fits('alice', { kind: 0, content: JSON.stringify({ name: 'Alice', picture: 'https://x/bob' }) }));
  assert.ok(!fits('bob', { kind: 0, content: JSON.stringify({ name: 'Alice', picture: 'https://x/bob' }) }));
  assert.ok(!fits('alice', { kind: 0, content: 'Alice' }));
  assert.ok(fits('on birds', { kind: 30023, content: 'text', tags: [['title', 'On birds']] }));
  assert.ok(fits('', { kind: 7 }));
  assert.equal(searchedText(event({ content: 'x'.repeat(100_000) }))?.length, 16_384);
});

test('a search goes through a filter unchanged, and has a bound', () => {
  assert.deepEqual(filterToJson(parseFilter({ search: 'a b', kinds: [1] }, { valuesMax: 10 })), {
    search: 'a b',
    kinds: [1],
  });
  assert.throws(() => parseFilter({ search: 7 }, { valuesMax: 10 }), /search/);
  assert.throws(() => parseFilter({ search: 'x'.repeat(300) }, { valuesMax: 10 }), /search/);
});
