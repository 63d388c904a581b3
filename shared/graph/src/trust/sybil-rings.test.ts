import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildGraph, type FollowGraph } from '../csr.ts';
import { seededRng } from '../rng.ts';
import { admit } from './admit.ts';
import { readerWeights, WEIGHT_ONE } from './edge-weights.ts';
import { RANK_ONE, rankAccounts, type TrustRanks } from './rank-accounts.ts';
import { shiftBound } from './shift-bound.ts';

const honest = 2000;
const celebrity = 0;
const seeds = Array.from({ length: 50 }, (_, i) => 20 + i * 11);
type Wiring = 'closed' | 'fans' | 'leaky';

/** Accounts in communities of 100 that also follow the first few: the lower the number, the more followers. */
function honestEdges(): { from: number[]; to: number[] } {
  const rng = seededRng('honest');
  const from: number[] = [];
  const to: number[] = [];
  for (let u = 0; u < honest; u++) {
    const follows = 10 + Math.floor(rng() * 30);
    for (let i = 0; i < follows; i++) {
      const near = u - (u % 100) + Math.floor(rng() * 100);
      const hub = Math.floor(rng() * rng() * rng() * honest);
      from.push(u);
      to.push(rng() < 0.7 ? near : hub);
    }
  }
  return { from, to };
}

const edges = honestEdges();
const before = buildGraph(honest, Uint32Array.from(edges.from), Uint32Array.from(edges.to));
const trust = rankAccounts(before, seeds);
/** Whom to deceive first: the accounts of most rank. */
const worthwhile = [...Array(honest).keys()].sort((a, b) => trust.ranks[b] - trust.ranks[a]);

/**
 * A ring of `size` new accounts: `closed` keeps all trust that it gets, `fans` follow the celebrity as well, `leaky`
 * also follow honest accounts and those that they deceived. The deceived are among the 500 accounts of most rank, or, with an even seed, only among 10.
 */
function attack(size: number, attackEdges: number, wiring: Wiring, seed: number) {
  const rng = seededRng(seed);
  const from = edges.from.slice();
  const to = edges.to.slice();
  const deceived = new Map<number, Set<number>>();
  for (let made = 0; made < attackEdges; ) {
    const u = worthwhile[Math.floor(rng() * (seed % 2 === 0 ? 10 : 500))];
    const v = honest + Math.floor(rng() * size);
    const fakes = deceived.get(u) ?? new Set();
    if (fakes.has(v)) continue;
    deceived.set(u, fakes.add(v));
    from.push(u);
    to.push(v);
    made++;
  }
  const victims = [...deceived.keys()];
  let newFollows = 0;
  const follow = (u: number, v: number): void => {
    from.push(u);
    to.push(v);
    newFollows++;
  };
  for (let i = 0; i < size; i++) {
    const u = honest + i;
    for (let k = 1; k <= 10; k++) follow(u, honest + ((i + k) % size));
    if (wiring !== 'closed') follow(u, celebrity);
    if (wiring === 'leaky') {
      follow(u, victims[i % victims.length]);
      follow(u, Math.floor(rng() * honest));
    }
  }
  const graph = buildGraph(honest + size, Uint32Array.from(from), Uint32Array.from(to));
  const added = new Map([...deceived].map(([u, fakes]) => [u, fakes.size]));
  return { graph, bound: shiftBound(before, trust, added, newFollows) };
}

/** What the ring has, what everybody else gained together, and the celebrity alone. */
function gains(graph: FollowGraph, after: TrustRanks) {
  let ring = 0;
  let others = 0;
  for (let u = 0; u < graph.nodes; u++) {
    if (u >= honest) ring += after.ranks[u];
    else others += Math.max(0, after.ranks[u] - trust.ranks[u]);
  }
  return { ring, others, celebrity: after.ranks[celebrity] - trust.ranks[celebrity] };
}

for (const [percent, size] of [
  [1, honest / 100],
  [10, honest / 10],
  [100, honest],
] as const) {
  for (const attackEdges of [1, 10, 100]) {
    test(`a ring of ${percent} % with ${attackEdges} attack edges gains no more than its edges carry`, () => {
      fc.assert(
        fc.property(
          fc.constantFrom<Wiring>('closed', 'fans', 'leaky'),
          fc.integer({ min: 0, max: 2 ** 31 }),
          (wiring, seed) => {
            const { graph, bound } = attack(size, attackEdges, wiring, seed);
            const after = rankAccounts(graph, seeds);
            const gained = gains(graph, after);
            assert.ok(gained.ring + gained.others <= bound, `${gained.ring} + ${gained.others} > ${bound}`);
            assert.ok(gained.celebrity <= bound);

            const threshold = RANK_ONE / honest / 4;
            const inside = admit(after.ranks, { threshold }).subarray(honest);
            assert.ok(inside.reduce((a, b) => a + b, 0) <= bound / threshold);
            const weight = readerWeights(after.ranks, threshold)
              .subarray(honest)
              .reduce((a, b) => a + b, 0);
            assert.ok(weight / WEIGHT_ONE <= bound / threshold);
          },
        ),
        { numRuns: 20 },
      );
    });
  }
}

test('the bound says something: small for few edges, nearly reached by a closed ring', () => {
  for (const attackEdges of [1, 10, 100]) {
    const { graph, bound } = attack(200, attackEdges, 'closed', 7);
    const { ring } = gains(graph, rankAccounts(graph, seeds));
    assert.ok(ring > 0.7 * bound, `${ring / bound} of the bound`);
    assert.ok(bound < 0.001 * attackEdges * RANK_ONE, `${bound / RANK_ONE} for ${attackEdges} edges`);
  }
});

test('a ring ten times as large gains nothing by its size', () => {
  const small = attack(20, 10, 'closed', 3);
  const large = attack(2000, 10, 'closed', 3);
  const smallGain = gains(small.graph, rankAccounts(small.graph, seeds)).ring;
  const largeGain = gains(large.graph, rankAccounts(large.graph, seeds)).ring;
  assert.ok(largeGain / large.bound <= 1.1 * (smallGain / small.bound), `${largeGain} for ${smallGain}`);
});

test('a ring whose follows nobody returns has nothing, and every celebrity keeps its rank', () => {
  const { graph } = attack(honest, 0, 'fans', 1);
  const after = rankAccounts(graph, seeds);
  assert.ok(after.ranks.subarray(honest).every((rank) => rank === 0));
  assert.deepEqual([...after.ranks.subarray(0, honest)], [...trust.ranks]);
});
