import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildGraph, seededRng } from '@covey/graph';
import fc from 'fast-check';
import { exp2Fixed, LOG_ONE, log2Fixed, negLn } from './fixed-log.ts';
import { measureGreedy } from './greedy-reader.ts';
import { planRelays } from './plan.ts';
import { measurePriced } from './priced-reader.ts';
import { movePrices, PRICE_ONE, priceOf } from './prices.ts';
import { memberNumber, openScore, readerNumber, readScore } from './reader-rule.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../../../test/vectors/reader-rule.json', import.meta.url), 'utf8'),
);

test('vectors: logarithms, numbers, scores, prices and plans', () => {
  for (const [value, log] of vectors.log2) assert.equal(log2Fixed(value), log);
  for (const [hash, value] of vectors.negLn) assert.equal(negLn(hash), value);
  for (const [exponent, value] of vectors.exp2) assert.equal(exp2Fixed(exponent, PRICE_ONE), value);
  for (const [key, number] of vectors.readers) assert.equal(readerNumber(Buffer.from(key, 'hex')), number);
  for (const [id, number] of vectors.members) assert.equal(memberNumber(id), number);
  for (const { reader, member, price, open, read } of vectors.scores) {
    assert.equal(openScore(reader, member, price), open);
    assert.equal(readScore(reader, member, price), read);
  }
  const logs = new Int32Array(5);
  for (const step of vectors.steps) {
    movePrices(
      logs,
      step.loads.map((load: number | null) => load ?? Number.NaN),
    );
    assert.deepEqual([...logs], step.logs);
    assert.deepEqual(Array.from(logs, priceOf), step.prices);
  }
  const numbers = vectors.members.map(([, number]: [string, number]) => number);
  const { openPrices, readPrices } = vectors;
  for (const { reader, holders, copies, plan } of vectors.plans) {
    const found = planRelays({
      keys: holders.length,
      holders: (key) => holders[key],
      copies,
      reader,
      numbers,
      openPrices,
      readPrices,
    });
    assert.deepEqual(found, plan);
  }
});

test('fixed-point powers are the true ones within 2⁻¹⁸, and stay whole', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 32 }), (value) => {
      const log = log2Fixed(value);
      assert.ok(Number.isSafeInteger(log) && Math.abs(log / LOG_ONE - Math.log2(value)) < 2 ** -18);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -4 * LOG_ONE, max: 4 * LOG_ONE }), (exponent) => {
      const power = exp2Fixed(exponent, PRICE_ONE);
      const exact = PRICE_ONE * 2 ** (exponent / LOG_ONE);
      assert.ok(Number.isSafeInteger(power) && power <= exact + 1e-6 && exact - power < 1 + exact * 2 ** -18);
    }),
  );
});

test('a price moves by (load / mean)^0.3, within its bounds, and drifts back where nothing is heard', () => {
  const logs = new Int32Array(4);
  movePrices(logs, [40, 10, 10, Number.NaN]);
  assert.ok(Math.abs(priceOf(logs[0]) / PRICE_ONE - 2 ** 0.3) < 0.002);
  assert.ok(Math.abs(priceOf(logs[1]) / PRICE_ONE - 0.5 ** 0.3) < 0.002);
  assert.equal(priceOf(logs[3]), PRICE_ONE);
  for (let step = 0; step < 500; step++) movePrices(logs, [1000, 0, 0, 0]);
  assert.deepEqual(Array.from(logs, priceOf), [65536, 256, 256, 256]);
  movePrices(logs, [0, 0, 0, 0]);
  for (let step = 0; step < 2000; step++) movePrices(logs, Array(4).fill(Number.NaN));
  for (const log of logs) assert.ok(Math.abs(priceOf(log) - PRICE_ONE) <= 1, `${priceOf(log)}`);
});

/** Accounts that follow some 20 others, placed on three random members each. */
function randomPlacement(accounts: number, k: number, seed: number) {
  const rng = seededRng(seed);
  const below = (n: number): number => Math.floor(rng() * n);
  const sources = Uint32Array.from({ length: accounts * 20 }, (_, i) => Math.floor(i / 20));
  const targets = Uint32Array.from(sources, () => Math.floor(rng() * rng() * accounts));
  const rows = Array.from({ length: accounts }, () => {
    const row = new Set<number>();
    while (row.size < Math.min(3, k)) row.add(below(k));
    return [...row];
  });
  return {
    graph: buildGraph(accounts, sources, targets),
    rows,
    groupOf: Uint32Array.from(rows.keys()),
    readers: Uint32Array.from(rows.keys()),
    members: Array.from({ length: k }, (_, i) => ({ id: `m${i}` })),
  };
}

test('readers are measured by the rule that plans follow', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 30, max: 120 }),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(),
      (n, k, seed) => {
        const { graph, rows, groupOf, readers, members } = randomPlacement(n, k, seed);
        const measured = measurePriced(graph, readers, groupOf, rows, members, 3);
        const connections = new Float64Array(k);
        const reads = new Float64Array(k);
        for (const reader of readers) {
          const follows = graph.targets.subarray(graph.offsets[reader], graph.offsets[reader + 1]);
          const { relays } = planRelays({
            keys: follows.length,
            holders: (key) => rows[follows[key]],
            reader,
            numbers: members.map(({ id }) => memberNumber(id)),
            openPrices: measured.openPrices,
            readPrices: measured.readPrices,
          });
          for (const { member, keys } of relays) {
            connections[member]++;
            reads[member] += keys.length;
          }
        }
        assert.deepEqual(measured.connections, connections);
        assert.deepEqual(measured.reads, reads);
      },
    ),
    { numRuns: 30 },
  );
});

test('against the greedy reader, loads are more even at no cost in fanout', () => {
  const { graph, rows, groupOf, readers, members } = randomPlacement(3000, 24, 7);
  const worst = (loads: Float64Array): number =>
    (Math.max(...loads) * loads.length) / loads.reduce((sum, load) => sum + load, 0);
  const greedy = measureGreedy(graph, readers, groupOf, rows, members.length, 1);
  const priced = measurePriced(graph, readers, groupOf, rows, members);
  assert.ok(priced.fanout <= greedy.fanout);
  assert.ok(worst(priced.connections) < worst(greedy.connections));
  assert.ok(worst(priced.reads) < 1 + (worst(greedy.reads) - 1) * 0.6);
});
