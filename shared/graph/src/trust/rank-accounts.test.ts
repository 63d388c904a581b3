import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildGraph, type FollowGraph } from '../csr.ts';
import { admit } from './admit.ts';
import { edgeWeights, readerWeights, WEIGHT_ONE } from './edge-weights.ts';
import { RANK_ONE, type RankOptions, rankAccounts } from './rank-accounts.ts';
import { shiftBound } from './shift-bound.ts';

type Pair = readonly [number, number];
const build = (edges: readonly Pair[], nodes: number): FollowGraph =>
  buildGraph(
    nodes,
    Uint32Array.from(edges, ([u]) => u),
    Uint32Array.from(edges, ([, v]) => v),
  );
const nodes = 9;
const anyEdges = fc.array(fc.tuple(fc.nat(nodes - 1), fc.nat(nodes - 1)), { maxLength: 40 });
const anySeeds = fc.uniqueArray(fc.nat(nodes - 1), { minLength: 1, maxLength: 3 });
const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** The same walk with dense matrices and plain doubles. */
function slowRanks(g: FollowGraph, seeds: readonly number[], { stepsMax = 20, followsMin = 4 }: RankOptions) {
  let mass = Array.from({ length: g.nodes }, (_, u) => (seeds.includes(u) ? 1 / seeds.length : 0));
  const ranks = mass.map((m) => 0.15 * m);
  for (let step = 0; step < stepsMax; step++) {
    const next = mass.map(() => 0);
    for (let u = 0; u < g.nodes; u++) {
      const row = g.targets.subarray(g.offsets[u], g.offsets[u + 1]);
      for (const v of row) next[v] += (0.85 * mass[u]) / Math.max(row.length, followsMin);
    }
    mass = next;
    mass.forEach((m, u) => {
      ranks[u] += 0.15 * m;
    });
  }
  return ranks;
}

test('ranks agree with a slow walk in doubles, and never sum to more than one', () => {
  fc.assert(
    fc.property(anyEdges, anySeeds, fc.constantFrom(1, 4, 8), (edges, seeds, followsMin) => {
      const g = build(edges, nodes);
      const { ranks, basis } = rankAccounts(g, seeds, { followsMin });
      assert.equal(basis, 'seeds');
      slowRanks(g, seeds, { followsMin }).forEach((rank, u) => {
        assert.ok(Math.abs(ranks[u] / RANK_ONE - rank) < 1e-12, `${u}: ${ranks[u] / RANK_ONE} for ${rank}`);
        assert.ok(Number.isInteger(ranks[u]));
      });
      assert.ok(sum(ranks) <= RANK_ONE);
    }),
  );
});

test('numbering the accounts differently changes no rank, not by a unit', () => {
  const numbering = fc.shuffledSubarray([...Array(nodes).keys()], { minLength: nodes });
  fc.assert(
    fc.property(anyEdges, anySeeds, numbering, (edges, seeds, renamed) => {
      const before = rankAccounts(build(edges, nodes), seeds).ranks;
      const after = rankAccounts(
        build(
          edges.map(([u, v]) => [renamed[u], renamed[v]] as const),
          nodes,
        ),
        seeds.map((seed) => renamed[seed]).toReversed(),
      ).ranks;
      for (let u = 0; u < nodes; u++) assert.equal(after[renamed[u]], before[u]);
    }),
  );
});

test('one more follow, between any two accounts, shifts all ranks by at most twice the bound', () => {
  fc.assert(
    fc.property(
      anyEdges,
      anySeeds,
      fc.nat(nodes - 1),
      fc.nat(nodes - 1),
      fc.constantFrom(1, 4, 8, 32),
      (edges, seeds, from, to, followsMin) => {
        const g = build(edges, nodes);
        const more = build([...edges, [from, to]], nodes);
        fc.pre(more.edges === g.edges + 1);
        const before = rankAccounts(g, seeds, { followsMin });
        const after = rankAccounts(more, seeds, { followsMin });
        const bound = shiftBound(g, before, new Map([[from, 1]]));
        const gained = sum(after.ranks.map((rank, u) => Math.max(0, rank - before.ranks[u])));
        const shifted = sum(after.ranks.map((rank, u) => Math.abs(rank - before.ranks[u])));
        assert.ok(gained <= bound, `${gained} > ${bound}`);
        assert.ok(shifted <= 2 * bound, `${shifted} > 2 × ${bound}`);
      },
    ),
    { numRuns: 400 },
  );
});

test('without seeds everybody has the same rank, and it says so', () => {
  const g = build([[0, 1]], 4);
  const trust = rankAccounts(g, []);
  assert.equal(trust.basis, 'equal');
  assert.deepEqual([...trust.ranks], Array(4).fill(RANK_ONE / 4));
  assert.equal(shiftBound(g, trust, new Map()), RANK_ONE);
  assert.equal(rankAccounts(build([], 0), []).ranks.length, 0);
});

test('a star, a seed alone and follows by nobody trusted', () => {
  const star = build(
    [1, 2, 3, 4].map((u) => [u, 0] as const),
    6,
  );
  const { ranks } = rankAccounts(star, [1, 1], { followsMin: 1 });
  assert.deepEqual(
    [...ranks].map((rank) => Math.round((rank / RANK_ONE) * 1e6)),
    [127500, 150000, 0, 0, 0, 0],
  );
});

test('seeds and options out of range are refused', () => {
  const g = build([[0, 1]], 2);
  assert.throws(() => rankAccounts(g, [2]), /seed 2 is no account of this graph \(0\.\.1\)/);
  assert.throws(() => rankAccounts(g, [0.5]), /seed 0\.5/);
  assert.throws(() => rankAccounts(g, [0], { dampingPercent: 100 }), /dampingPercent is 100/);
  assert.throws(() => rankAccounts(g, [0], { stepsMax: 0 }), /stepsMax is 0/);
  assert.throws(() => shiftBound(g, rankAccounts(g, [0]), new Map([[2, 1]])), /account 2 is not in/);
});

test('admission by threshold and by count; ties at the border stay out; rank 0 is never in', () => {
  const ranks = Float64Array.of(5, 3, 0, 3, 9);
  assert.deepEqual([...admit(ranks, { threshold: 3 })], [1, 1, 0, 1, 1]);
  assert.deepEqual([...admit(ranks, { threshold: 3.5 })], [1, 0, 0, 0, 1]);
  assert.deepEqual([...admit(ranks, { count: 2 })], [1, 0, 0, 0, 1]);
  assert.deepEqual([...admit(ranks, { count: 3 })], [1, 0, 0, 0, 1]);
  assert.deepEqual([...admit(ranks, { count: 4 })], [1, 1, 0, 1, 1]);
  assert.deepEqual([...admit(ranks, { count: 99 })], [1, 1, 0, 1, 1]);
  assert.deepEqual([...admit(ranks, { count: 0 })], [0, 0, 0, 0, 0]);
  assert.throws(() => admit(ranks, { threshold: 0 }), /threshold is 0/);
  assert.throws(() => admit(ranks, { count: 1.5 }), /count is 1\.5/);
});

test('a follow weighs what its follower does, at most one', () => {
  const g = build(
    [
      [0, 1],
      [0, 2],
      [1, 2],
    ],
    3,
  );
  const ranks = Float64Array.of(50, 1000, 0);
  assert.deepEqual([...readerWeights(ranks, 100)], [127, WEIGHT_ONE, 0]);
  assert.deepEqual([...edgeWeights(g, ranks, 100)], [127, 127, WEIGHT_ONE]);
  assert.throws(() => readerWeights(ranks, 0), /fullRank is 0/);
  assert.throws(() => edgeWeights(g, ranks.subarray(1), 100), /2 ranks for 3 accounts/);
});
