import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildGraph, detectCommunities, seededRng } from '@covey/graph';
import fc from 'fast-check';
import { evaluate } from './evaluate.ts';
import { moved } from './moved.ts';
import { place } from './place.ts';
import { planRelays } from './plan.ts';
import { InfeasiblePlacementError, InvalidProblemError, type PlacementProblem } from './problem.ts';
import { placeSlots, SLOTS } from './slots.ts';

/** A random graph with communities of 20 accounts and a few hubs. */
function problem(accounts: number, members: number, seed: number, more: Partial<PlacementProblem> = {}) {
  const rng = seededRng(seed);
  const sources: number[] = [];
  const targets: number[] = [];
  for (let account = 0; account < accounts; account++) {
    for (let i = 0; i < 8; i++) {
      const r = rng();
      const near = Math.floor(account / 20) * 20 + Math.floor(rng() * 20);
      const target = r < 0.7 ? near : r < 0.85 ? Math.floor(rng() * 5) : Math.floor(rng() * accounts);
      sources.push(account);
      targets.push(Math.min(target, accounts - 1));
    }
  }
  const graph = buildGraph(accounts, Uint32Array.from(sources), Uint32Array.from(targets));
  const { communityOf } = detectCommunities(graph, { engine: 'auto', seed });
  return {
    graph,
    communityOf,
    members: Array.from({ length: members }, (_, i) => ({ id: `m${i}` })),
    copies: 3,
    extraCopies: 0.1,
    hubs: 'adaptive' as const,
    seed,
    effort: 'quick' as const,
    ...more,
  };
}

test('everyone is placed on different members, within the budget, evenly, and the same again', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 3, max: 9 }),
      fc.nat(1000),
      fc.constantFrom('adaptive' as const, 'together' as const, 'spread' as const),
      fc.constantFrom(0, 0.1, 1),
      (accounts, members, seed, hubs, extraCopies) => {
        const p = problem(accounts, members, seed, { hubs, extraCopies });
        const placement = place(p);
        let copies = 0;
        const counted = new Uint32Array(placement.groups.length);
        for (let account = 0; account < accounts; account++) {
          const group = placement.groups[placement.groupOf[account]];
          counted[placement.groupOf[account]]++;
          assert.equal(group.copies, 3);
          assert.equal(new Set(group.members).size, group.members.length);
          assert.ok(group.members.every((member) => member >= 0 && member < members));
          copies += group.members.length;
        }
        assert.deepEqual(
          [...counted],
          placement.groups.map((group) => group.accounts),
        );
        assert.ok(copies <= Math.floor(accounts * 3 * (1 + extraCopies)) && copies >= accounts * 3);
        assert.deepEqual(place(p), placement);
      },
    ),
    { numRuns: 40 },
  );
});

test('copies and masters are balanced by capacity', () => {
  const p = problem(2000, 8, 3, { extraCopies: 0 });
  const big = p.members.map((member, i) => {
    const capacity = i === 0 ? 2 : 1;
    return { ...member, capacity: { copies: capacity, connections: capacity, reads: capacity } };
  });
  for (const members of [p.members, big]) {
    const placement = place({ ...p, members });
    const figures = evaluate(p.graph, placement, members, { hashSeeds: 1 });
    assert.ok(figures.copiesBalance <= 1.05, `copies ${figures.copiesBalance}`);
    assert.ok(figures.masterBalance <= 1.3, `masters ${figures.masterBalance}`);
    assert.equal(figures.unplaced, 0);
    assert.ok(figures.fanout < figures.hash.fanout);
  }
});

test('operators are kept apart, or the shortfall is reported', () => {
  const p = problem(200, 6, 4);
  const apart = p.members.map((member, i) => ({ ...member, operator: `o${i % 3}` }));
  const placement = place({ ...p, members: apart });
  for (const group of placement.groups) {
    assert.equal(new Set(group.members.slice(0, 3).map((member) => member % 3)).size, 3);
  }
  const two = place({ ...p, members: p.members.map((member, i) => ({ ...member, operator: `o${i % 2}` })) });
  assert.deepEqual(
    two.shortfalls.map((shortfall) => shortfall.constraint),
    ['operators'],
  );
});

test('pins come first, in their order, up to a quota; draining members and denials hold nothing', () => {
  const p = problem(300, 6, 5);
  const pins = new Map([
    [0, [4, 2]],
    [1, [5]],
    [2, [3, 1, 0, 2]],
  ]);
  const members = p.members.map((member, i) => ({
    ...member,
    ...(i === 5 && { draining: true }),
    ...(i === 1 && { denied: (account: number) => account >= 100 && account < 200 }),
  }));
  const placement = place({ ...p, members, pins });
  const row = (account: number) => placement.groups[placement.groupOf[account]];
  assert.deepEqual(row(0).members.slice(0, 2), [4, 2]);
  assert.deepEqual(row(2).members.slice(0, 3), [3, 1, 0]);
  assert.ok(row(0).pinned && row(2).pinned && !row(1).pinned);
  assert.deepEqual(
    placement.shortfalls.map(({ constraint, accounts }) => ({ constraint, accounts })),
    [{ constraint: 'pins', accounts: 1 }],
  );
  for (let account = 0; account < 300; account++) {
    assert.ok(!row(account).members.includes(5));
    if (account >= 100 && account < 200) assert.ok(!row(account).members.includes(1));
  }
});

test('what cannot be done is named, with how much is missing', () => {
  const p = problem(50, 2, 6);
  assert.throws(
    () => place(p),
    (error: unknown) =>
      error instanceof InfeasiblePlacementError &&
      error.constraint === 'members' &&
      error.needed === 3 &&
      error.available === 2,
  );
  const four = problem(50, 4, 6);
  const members = four.members.map((member, i) => ({
    ...member,
    denied: (account: number) => account === 7 && i > 1,
  }));
  assert.throws(() => place({ ...four, members }), /account 7 has 2, 1 short/);
  const short = place({ ...four, members, allowShortfall: true });
  assert.deepEqual(short.groups[short.groupOf[7]].members.toSorted(), [0, 1]);
  assert.equal(short.shortfalls[0].constraint, 'denied');
  assert.throws(() => place({ ...four, copies: 0 }), InvalidProblemError);
  assert.throws(() => place({ ...four, members: [{ id: 'a' }, { id: 'a' }, { id: 'b' }] }), /two members/);
});

test('a warm start keeps still when nothing changed', () => {
  const p = problem(400, 6, 7);
  const first = place(p);
  const second = place({ ...p, previous: { ...first, members: p.members.map((member) => member.id) } });
  assert.ok(moved(first, second) <= 0.006);
});

test('graphs at the edge: empty, one account, star, clique', () => {
  const members = ['a', 'b', 'c', 'd'].map((id) => ({ id }));
  const shapes: [number, [number, number][]][] = [
    [0, []],
    [1, []],
    [30, Array.from({ length: 29 }, (_, i) => [i + 1, 0])],
    [9, Array.from({ length: 81 }, (_, i) => [Math.floor(i / 9), i % 9])],
  ];
  for (const [accounts, edges] of shapes) {
    const graph = buildGraph(
      accounts,
      Uint32Array.from(edges, ([u]) => u),
      Uint32Array.from(edges, ([, v]) => v),
    );
    const { communityOf } = detectCommunities(graph, { engine: 'auto', seed: 1 });
    const placement = place({
      graph,
      communityOf,
      members,
      copies: 3,
      extraCopies: 0.1,
      hubs: 'adaptive',
      seed: 1,
    });
    assert.equal(placement.groupOf.length, accounts);
    assert.ok([...placement.groupOf].every((group) => group < placement.groups.length));
    assert.ok(evaluate(graph, placement, members).fanout >= 0);
  }
});

test('accounts that are not admitted live in their slot, read nothing and take nobody’s share', () => {
  const p = problem(600, 7, 8, { extraCopies: 0 });
  const alone = place(p);
  // A ring of as many again: each follows five of the ring and the first account.
  const sources: number[] = [];
  const targets: number[] = [];
  for (let account = 0; account < 600; account++) {
    for (let i = p.graph.offsets[account]; i < p.graph.offsets[account + 1]; i++) {
      sources.push(account);
      targets.push(p.graph.targets[i]);
    }
  }
  for (let fake = 600; fake < 1200; fake++) {
    for (let i = 1; i <= 5; i++) {
      sources.push(fake);
      targets.push(600 + ((fake + i) % 600));
    }
    sources.push(fake);
    targets.push(0);
  }
  const graph = buildGraph(1200, Uint32Array.from(sources), Uint32Array.from(targets));
  const communityOf = new Uint32Array(1200).fill(p.communityOf.length);
  communityOf.set(p.communityOf);
  const admitted = Uint8Array.from({ length: 1200 }, (_, account) => (account < 600 ? 1 : 0));
  const slots = Uint16Array.from({ length: 1200 }, (_, account) => (account * 31) % SLOTS);
  const placement = place({ ...p, graph, communityOf, admitted, slots });
  const rows = placeSlots(p.members, 3);
  for (let account = 600; account < 1200; account++) {
    const group = placement.groups[placement.groupOf[account]];
    assert.equal(group.hashed, true);
    assert.deepEqual(group.members, rows[slots[account]].members);
  }
  for (let account = 0; account < 600; account++) {
    const group = placement.groups[placement.groupOf[account]];
    assert.equal(group.hashed, undefined);
    assert.deepEqual(group.members, alone.groups[alone.groupOf[account]].members);
  }
  assert.throws(() => place({ ...p, admitted: admitted.subarray(0, 5) }), /admitted has 5 entries for 600/);
});

test('readers count by their weight, and weight 0 is no reader', () => {
  const p = problem(600, 6, 9, { extraCopies: 0 });
  assert.deepEqual(place({ ...p, readerWeights: new Uint16Array(600).fill(1) }), place(p));
  // Half of the readers weigh 200 times as much: they come out better than under equal weights.
  const heavy = (account: number) => account % 40 < 20;
  const weighed = place({
    ...p,
    readerWeights: Uint16Array.from({ length: 600 }, (_, account) => (heavy(account) ? 200 : 1)),
  });
  const only = place({
    ...p,
    readerWeights: Uint16Array.from({ length: 600 }, (_, account) => (heavy(account) ? 1 : 0)),
  });
  const fanoutOfHeavy = (placement: ReturnType<typeof place>) => {
    let opened = 0;
    let readers = 0;
    for (let account = 0; account < 600; account++) {
      const from = p.graph.offsets[account];
      const to = p.graph.offsets[account + 1];
      if (!heavy(account) || to - from < 5) continue;
      readers++;
      const rows = [...p.graph.targets.subarray(from, to)].map(
        (followee) => placement.groups[placement.groupOf[followee]].members,
      );
      opened += planRelays({ keys: rows.length, holders: (key) => rows[key] }).relays.length;
    }
    return opened / readers;
  };
  const equal = fanoutOfHeavy(place(p));
  assert.ok(fanoutOfHeavy(weighed) < equal, `${fanoutOfHeavy(weighed)} against ${equal}`);
  assert.ok(fanoutOfHeavy(only) < equal, `${fanoutOfHeavy(only)} against ${equal}`);
  assert.throws(() => place({ ...p, readerWeights: new Array(600).fill(-1) }), /readerWeights of account 0/);
});

test('a lower limit of load is kept, at some cost in fanout', () => {
  const p = problem(1500, 10, 12, { extraCopies: 0 });
  const [usual, tight] = [undefined, 1.3].map((loadLimit) => {
    const placement = place({ ...p, ...(loadLimit !== undefined && { loadLimit }) });
    return evaluate(p.graph, placement, p.members, { hashSeeds: 0 });
  });
  assert.ok(tight.connectionBalance <= 1.3, `${tight.connectionBalance}`);
  assert.ok(usual.fanout <= tight.fanout && usual.connectionBalance > 1.3, `${usual.connectionBalance}`);
  assert.throws(() => place({ ...p, loadLimit: 1 }), /loadLimit is 1/);
});
