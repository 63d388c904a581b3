import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng, seededUint32 } from './rng.ts';

test('a seed fixes the sequence; other seeds and texts give others', () => {
  const take = (seed: number | string) => Array.from({ length: 4 }, seededUint32(seed));
  assert.deepEqual(take(1), take(1));
  assert.notDeepEqual(take(1), take(2));
  assert.notDeepEqual(take(1), take('1'));
  assert.notDeepEqual(take(1), take(1 + 2 ** 32));
});

test('values fill [0, 1) evenly', () => {
  const next = seededRng('even');
  const bins = new Uint32Array(16);
  for (let i = 0; i < 160000; i++) bins[Math.floor(next() * 16)]++;
  for (const bin of bins) assert.ok(Math.abs(bin - 10000) < 500, `${[...bins]}`);
});
