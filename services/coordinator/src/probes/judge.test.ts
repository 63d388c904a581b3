import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goesAstray, halved, halvingsBySlowness } from './judge.ts';

const outcomes = (...list: ('ok' | 'unreachable' | 'astray')[]) => list.map((outcome) => ({ outcome }));

test('three times astray in a row counts; being away in between neither helps nor hurts', () => {
  assert.equal(goesAstray(outcomes('astray', 'astray')), false);
  assert.equal(goesAstray(outcomes('astray', 'astray', 'astray')), true);
  assert.equal(goesAstray(outcomes('astray', 'unreachable', 'astray', 'unreachable', 'astray', 'ok')), true);
  assert.equal(goesAstray(outcomes('astray', 'ok', 'astray', 'astray', 'astray')), false);
  assert.equal(goesAstray(outcomes('unreachable', 'unreachable', 'unreachable')), false);
});

test('who is far slower than the others loses half, a quarter, an eighth; who is a little slower nothing', () => {
  const times = (ms: number) => Array.from({ length: 4 }, () => ({ ms }));
  const of = (...all: number[]) => halvingsBySlowness(new Map(all.map((ms, i) => [String(i), times(ms)])));
  assert.deepEqual(of(300, 310, 290, 1100), new Map(), 'under four times the median');
  assert.deepEqual(of(300, 310, 290, 1300), new Map([['3', 1]]));
  assert.deepEqual(of(300, 310, 290, 2500), new Map([['3', 2]]));
  assert.deepEqual(of(300, 310, 290, 60_000), new Map([['3', 3]]), 'an eighth is left');
  assert.deepEqual(of(2, 3, 2, 40), new Map(), 'forty milliseconds are not slow');
  assert.deepEqual(of(10, 5_000), new Map(), 'of two nobody is the odd one');
  assert.deepEqual(halved({ copies: 8, connections: 4, reads: 2 }, 2), {
    copies: 2,
    connections: 1,
    reads: 0.5,
  });
});
