import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildGraph,
  detectCommunities,
  type FollowGraph,
  followerCounts,
  RANK_ONE,
  rankAccounts,
  seededRng,
  shiftBound,
} from '@covey/graph';
import fc from 'fast-check';
import { evaluate } from './evaluate.ts';
import { moved } from './moved.ts';
import { place } from './place.ts';
import { noGroup, type Placement, type PreviousPlacement } from './problem.ts';
import { SLOTS } from './slots.ts';
import { type Trust, trustedGraph, trustedPrevious, trustOf, untrustedPlaced } from './trust.ts';

const honest = 600;
const members = Array.from({ length: 8 }, (_, i) => ({ id: `m${i}` }));
const seeds = Array.from({ length: 30 }, (_, i) => 3 + i * 19);
/** The cluster means to search as many accounts as were there before any ring. */
const accountsMeant = honest;
const slotOf = (account: number): number => (account * 2654435761) % SLOTS;

/** Accounts in communities of 40 that also follow hubs: the lower the number, the more followers. */
function honestFollows(): [number, number][] {
  const rng = seededRng('honest follows');
  const follows: [number, number][] = [];
  for (let u = 0; u < honest; u++) {
    for (let i = 0; i < 20; i++) {
      const near = u - (u % 40) + Math.floor(rng() * 40);
      follows.push([u, rng() < 0.7 ? near : Math.floor(rng() * rng() * rng() * honest)]);
    }
  }
  return follows;
}

const base = honestFollows();

/** The honest follows, and a ring of `size` that follows itself and the hubs; `attackEdges` trusted accounts follow it. */
function attacked(size: number, attackEdges: number, deceived = new Map<number, number>()): FollowGraph {
  const rng = seededRng(`ring ${size} ${attackEdges}`);
  const follows = base.slice();
  for (let fake = honest; fake < honest + size; fake++) {
    for (let i = 1; i <= 10; i++) follows.push([fake, honest + ((fake + i) % size)]);
    for (let i = 0; i < 5; i++) follows.push([fake, i]);
  }
  for (let edge = 0; edge < attackEdges; edge++) {
    const from = Math.floor(rng() * honest);
    deceived.set(from, (deceived.get(from) ?? 0) + 1);
    follows.push([from, honest + Math.floor(rng() * size)]);
  }
  return buildGraph(
    honest + size,
    Uint32Array.from(follows, ([from]) => from),
    Uint32Array.from(follows, ([, to]) => to),
  );
}

interface Placed {
  trust: Trust;
  placement: Placement;
  refused: number;
}

function placeAll(
  graph: FollowGraph,
  more: { pins?: Map<number, number[]>; previous?: PreviousPlacement; seeds?: number[] } = {},
): Placed {
  const trust = trustOf(graph, more.seeds ?? seeds, accountsMeant);
  const trusted = trustedGraph(graph, trust, slotOf, more.pins ?? new Map(), members, 3);
  const { communityOf } = detectCommunities(trusted.graph, { engine: 'auto', seed: 1 });
  const placement = place({
    ...trusted,
    communityOf,
    members,
    copies: 3,
    extraCopies: 0.1,
    hubs: 'adaptive',
    seed: 1,
    effort: 'quick',
    ...(more.previous && { previous: trustedPrevious(more.previous, trusted) }),
  });
  return {
    trust,
    placement: untrustedPlaced(placement, trusted, graph.nodes, slotOf, members, 3),
    refused: trusted.pinsRefused,
  };
}

const membersOf = ({ placement }: Placed, account: number): readonly number[] =>
  placement.groups[placement.groupOf[account]].members;

const quiet = attacked(1, 0);
const before = placeAll(quiet);
/** The next placement without a ring. */
const again = placeAll(quiet, { previous: before.placement });
const readers = Uint32Array.from({ length: honest }, (_, account) => account);

describe('a ring of fake accounts, through the whole placement', () => {
  for (const [percent, size] of [
    [1, honest / 100],
    [10, honest / 10],
    [100, honest],
  ]) {
    test(`of ${percent} % that nobody trusted follows moves nobody, cold or warm`, () => {
      const after = placeAll(attacked(size, 0));
      assert.equal(after.trust.admittedCount, before.trust.admittedCount);
      for (let account = 0; account < honest; account++) {
        assert.deepEqual(membersOf(after, account), membersOf(before, account));
      }
      for (let fake = honest; fake < honest + size; fake++) {
        assert.equal(after.placement.groups[after.placement.groupOf[fake]].hashed, true);
      }
      const warm = placeAll(attacked(size, 0), { previous: before.placement });
      for (let account = 0; account < honest; account++) {
        assert.deepEqual(membersOf(warm, account), membersOf(again, account));
      }
    });

    test(`of ${percent} % that 10 trusted accounts follow moves few, and buys little`, () => {
      const edges = new Map<number, number>();
      const graph = attacked(size, 10, edges);
      const after = placeAll(graph, { previous: before.placement });
      const bound =
        shiftBound(quiet, rankAccounts(quiet, seeds), edges, size * 15) / (RANK_ONE / accountsMeant);
      const sum = (values: Uint8Array): number => values.subarray(honest).reduce((all, one) => all + one, 0);
      assert.ok(sum(after.trust.readerWeights) / 255 <= 5 * bound);
      assert.ok(sum(after.trust.readerWeights) / 255 <= 12);
      assert.ok(sum(after.trust.admitted) <= 500 * bound);

      // Beside what a warm start changes for a better fanout anyhow.
      const share = moved(before.placement, after.placement);
      const usual = moved(before.placement, again.placement);
      assert.ok(share <= usual + 0.02, `${share} of the honest moved, ${usual} without a ring`);
      const hubs = hubsOf(quiet).filter(
        (hub) => membersOf(after, hub).toSorted().join() !== membersOf(again, hub).toSorted().join(),
      );
      assert.ok(hubs.length <= 2, `${hubs.length} of 10 hubs moved`);
      const fanout = (placed: Placed): number =>
        evaluate(quiet, placed.placement, members, { readers, hashSeeds: 0 }).fanout;
      const cut = { ...after, placement: firstAccounts(after.placement, honest + 1) };
      assert.ok(fanout(cut) <= fanout(before) * 1.03, `${fanout(cut)} from ${fanout(before)}`);
      const copies = copiesOf(after.placement);
      assert.ok(
        Math.max(...copies) <= (1.05 * copies.reduce((sum, held) => sum + held, 0)) / members.length + 1,
      );
    });
  }

  test('without seeds the same ring is placed like anybody: nothing is resisted', () => {
    const graph = attacked(honest, 0);
    const { trust, placement } = placeAll(graph, { seeds: [] });
    assert.equal(trust.basis, 'equal');
    assert.equal(trust.admittedCount, graph.nodes);
    assert.ok(placement.groups.every(({ hashed }) => !hashed));
  });
});

test('hundreds of fresh keys that name one member fill a small quota; trusted pins come first', () => {
  const graph = attacked(honest, 0);
  const pins = new Map<number, number[]>();
  for (let fake = honest; fake < honest + 600; fake++) pins.set(fake, [4]);
  const trusted = [...before.trust.admitted.keys()].filter((account) => before.trust.admitted[account] === 1);
  for (const account of trusted.slice(0, 40)) pins.set(account, [4]);
  const { placement, refused } = placeAll(graph, { pins });
  const pinned = (account: number): boolean => placement.groups[placement.groupOf[account]].pinned;
  for (const account of trusted.slice(0, 40)) {
    assert.ok(pinned(account) && placement.groups[placement.groupOf[account]].members[0] === 4);
  }
  let fakes = 0;
  for (let fake = honest; fake < honest + 600; fake++) if (pinned(fake)) fakes++;
  const share = (trusted.length * 3) / members.length;
  assert.equal(fakes, Math.floor(share * 0.05));
  assert.equal(refused, 600 - fakes);
});

test('everybody has a place, whoever is trusted', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(39), { maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(39), fc.nat(39)), { maxLength: 200 }),
      fc.integer({ min: 1, max: 100 }),
      (some, follows, meant) => {
        const graph = buildGraph(
          40,
          Uint32Array.from(follows, ([from]) => from),
          Uint32Array.from(follows, ([, to]) => to),
        );
        const trust = trustOf(graph, some, meant);
        const trusted = trustedGraph(graph, trust, slotOf, new Map(), members, 3);
        const { communityOf } = detectCommunities(trusted.graph, { engine: 'auto', seed: 1 });
        const placement = untrustedPlaced(
          place({
            ...trusted,
            communityOf,
            members,
            copies: 3,
            extraCopies: 0,
            hubs: 'adaptive',
            seed: 1,
            effort: 'quick',
          }),
          trusted,
          40,
          slotOf,
          members,
          3,
        );
        const counted = new Uint32Array(placement.groups.length);
        for (let account = 0; account < 40; account++) {
          assert.notEqual(placement.groupOf[account], noGroup);
          counted[placement.groupOf[account]]++;
          const group = placement.groups[placement.groupOf[account]];
          assert.equal(new Set(group.members).size, 3);
          assert.equal(group.hashed ?? false, trust.admitted[account] === 0);
        }
        assert.deepEqual(
          [...counted],
          placement.groups.map(({ accounts }) => accounts),
        );
      },
    ),
    { numRuns: 12 },
  );
});

function hubsOf(graph: FollowGraph): number[] {
  const followers = followerCounts(graph);
  return [...followers.keys()].sort((a, b) => followers[b] - followers[a]).slice(0, 10);
}

function firstAccounts(placement: Placement, accounts: number): Placement {
  return { ...placement, groupOf: placement.groupOf.subarray(0, accounts) };
}

/** Copies that the search gave each member. */
function copiesOf({ groups }: Placement): number[] {
  return members.map((_, member) =>
    groups.reduce(
      (sum, group) => sum + (!group.hashed && group.members.includes(member) ? group.accounts : 0),
      0,
    ),
  );
}
