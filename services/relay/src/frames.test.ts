import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BadFrameError, eose, idInText, notice, ok, parseFrame } from './frames.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const parse = (text: string) => parseFrame(text, DEFAULT_LIMITS);
const badness = (text: string): BadFrameError => {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof BadFrameError, String(error));
    return error;
  }
  return assert.fail(`${text.slice(0, 80)} was taken`);
};

describe('frames', () => {
  it('are read, or refused by name', () => {
    assert.deepEqual(parse('["REQ","a",{"#t":["x"],"limit":1}]'), {
      type: 'REQ',
      subscription: 'a',
      filters: [{ tags: { t: ['x'] }, limit: 1 }],
    });
    assert.deepEqual(parse('["EVENT",{"id":1},{"hops":2}]'), { type: 'EVENT', event: { id: 1 }, hops: 2 });
    for (const hops of ['0', '-1', '1.5', '256', '"2"', 'null', '[]'])
      assert.equal((parse(`["EVENT",{},{"hops":${hops}}]`) as { hops?: number }).hops, undefined);
    assert.equal(badness('["REQ","a"]').subscription, 'a');
    assert.equal(badness(`["REQ","${'x'.repeat(65)}",{}]`).subscription, undefined);
    assert.match(badness(`["REQ","a",${'{},'.repeat(20)}{}]`).message, /20 filters/);
    assert.match(
      badness(JSON.stringify(['REQ', 'a', { kinds: Array.from({ length: 5001 }, (_, i) => i) }])).message,
      /5000 values/,
    );
  });

  it('of any text are refused or read, and nothing else happens', () => {
    const word = fc.constantFrom('EVENT', 'REQ', 'CLOSE', 'AUTH', 'COVEY', '__proto__', '');
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.tuple(word, fc.jsonValue(), fc.jsonValue()).map((frame) => JSON.stringify(frame)),
      fc
        .tuple(
          word,
          fc.string(),
          fc.record({ ids: fc.jsonValue(), '#p': fc.jsonValue(), since: fc.jsonValue() }),
        )
        .map((frame) => JSON.stringify(frame)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof BadFrameError, String(error));
          assert.ok(error.message.isWellFormed());
        }
      }),
      { numRuns: 5000, seed: 5 },
    );
  });

  it('too large to be parsed still say which event they carry', () => {
    const id = 'ab'.repeat(32);
    assert.equal(idInText(` [ "EVENT", {"tags":[], "id" : "${id}"}]`), id);
    assert.equal(idInText(`["REQ",{"id":"${id}"}]`), undefined);
    assert.equal(idInText('["EVENT",{"id":"short"}]'), undefined);
  });

  it('of the relay are JSON whatever stands in them', () => {
    for (const frame of [ok('x', false, 'a "quote"\n'), notice('\ud800'), eose('"', true)]) JSON.parse(frame);
    assert.deepEqual(JSON.parse(eose('s', undefined)), ['EOSE', 's']);
    assert.deepEqual(JSON.parse(eose('s', false)), ['EOSE', 's', ['more']]);
  });
});
