import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildGraph, detectCommunities, type FollowGraph, followerCounts, seededRng } from '@covey/graph';
import { evaluate } from './evaluate.ts';
import { moved } from './moved.ts';
import { place } from './place.ts';
import type { PlacementProblem } from './problem.ts';
import { SearchState } from './search/state.ts';

const equal = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `m${i}` }));

function problemOf(
  graph: FollowGraph,
  members: number,
  more: Partial<PlacementProblem> = {},
): PlacementProblem {
  const { communityOf } = detectCommunities(graph, { engine: 'auto', seed: 1 });
  return {
    graph,
    communityOf,
    members: equal(members),
    copies: 3,
    extraCopies: 0,
    hubs: 'adaptive',
    seed: 1,
    effort: 'quick',
    ...more,
  };
}

/** Readers follow 12 accounts, mostly of their own community of 40, by a skewed popularity. */
function social(accounts: number, seed: number): FollowGraph {
  const rng = seededRng(seed);
  const sources: number[] = [];
  const targets: number[] = [];
  for (let account = 0; account < accounts; account++) {
    for (let i = 0; i < 12; i++) {
      const home = Math.floor(account / 40) * 40;
      const near = Math.min(accounts - 1, home + Math.floor(rng() * rng() * 40));
      sources.push(account);
      targets.push(rng() < 0.75 ? near : Math.floor(rng() * rng() * rng() * accounts));
    }
  }
  return buildGraph(accounts, Uint32Array.from(sources), Uint32Array.from(targets));
}

test('on a tiny graph the search comes close to the best of all placements', () => {
  // Two circles of six, each following the whole of its own; one copy, two members, at most six accounts a member.
  const sources: number[] = [];
  const targets: number[] = [];
  for (let u = 0; u < 12; u++) {
    for (let v = 0; v < 12; v++) {
      if (u === v || u % 2 !== v % 2) continue;
      sources.push(u);
      targets.push(v);
    }
  }
  const graph = buildGraph(12, Uint32Array.from(sources), Uint32Array.from(targets));
  const members = equal(2);
  let best = Number.POSITIVE_INFINITY;
  for (let bits = 0; bits < 4096; bits++) {
    let ones = 0;
    for (let rest = bits; rest; rest &= rest - 1) ones++;
    if (ones !== 6) continue;
    const groupOf = Uint32Array.from({ length: 12 }, (_, account) => (bits >> account) & 1);
    const groups = [0, 1].map((member) => ({
      members: [member],
      copies: 1,
      hub: false,
      pinned: false,
      accounts: 6,
    }));
    best = Math.min(best, evaluate(graph, { groupOf, groups }, members, { hashSeeds: 0 }).fanout);
  }
  assert.equal(best, 1);
  const placement = place(problemOf(graph, 2, { copies: 1 }));
  const found = evaluate(graph, placement, members, { hashSeeds: 0 });
  assert.ok(found.fanout <= best * 1.01, `${found.fanout} against ${best}`);
  assert.ok(found.copiesBalance <= 1.17);
});

test('the state counts what the evaluation counts', () => {
  const graph = social(600, 2);
  const members = equal(7);
  const placement = place(problemOf(graph, 7));
  const limits = {
    caps: new Float64Array(7).fill(600),
    connectionCapacity: new Float64Array(7).fill(1),
    readCapacity: new Float64Array(7).fill(1),
    loadLimit: 2,
    loadFloor: 0,
    domainOf: new Int32Array(7),
    strictDomains: false,
    denied: new Map(),
    extraBudget: 0,
  };
  const state = new SearchState(graph, 7, 3, limits);
  for (let account = 0; account < 600; account++) {
    for (const member of placement.groups[placement.groupOf[account]].members) state.push(account, member);
  }
  state.coverAll();
  const figures = evaluate(graph, placement, members, { sample: 0, hashSeeds: 0 });
  assert.equal(state.opened / state.readers.length, figures.fanout);
  const mean = state.connections.reduce((sum, count) => sum + count, 0) / 7;
  assert.equal(Math.max(...state.connections) / mean, figures.connectionBalance);
});

test('readers open far fewer members than with random copies, under the limits', () => {
  const graph = social(2000, 3);
  for (const [extraCopies, limit] of [
    [0, 2],
    [0.1, 1.5],
  ]) {
    const placement = place(problemOf(graph, 16, { extraCopies }));
    const figures = evaluate(graph, placement, equal(16), { hashSeeds: 2 });
    assert.ok(figures.fanoutOfHash <= 0.6, `fanout ${figures.fanoutOfHash}`);
    assert.ok(figures.copiesBalance <= 1.05, `copies ${figures.copiesBalance}`);
    assert.ok(figures.connectionBalance <= limit * 1.05, `connections ${figures.connectionBalance}`);
    assert.ok(figures.readBalance <= limit * 1.05, `reads ${figures.readBalance}`);
    assert.ok(figures.masterBalance <= 1.3, `masters ${figures.masterBalance}`);
    assert.ok(figures.copiesPerUser <= 3 * (1 + extraCopies));
  }
});

test('members that join or leave move little more than their share; seniority survives', () => {
  const graph = social(1500, 4);
  const problem = problemOf(graph, 8);
  const first = place(problem);
  const ids = problem.members.map((member) => member.id);
  const previous = { ...first, members: ids };

  const larger = equal(9);
  const joined = place({ ...problem, members: larger, previous });
  const joinMoved = moved(previous, { ...joined, members: larger.map((member) => member.id) });
  assert.ok(joinMoved <= (3 / 9) * 1.2, `join moved ${joinMoved}`);
  const after = evaluate(graph, joined, larger, { hashSeeds: 0 });
  assert.ok(after.copiesBalance <= 1.05);
  const before = evaluate(graph, first, problem.members, { hashSeeds: 0 });
  assert.ok(after.fanout <= before.fanout * 1.12, `${after.fanout} after ${before.fanout}`);

  const smaller = problem.members.filter((_, i) => i !== 2);
  const left = place({ ...problem, members: smaller, previous });
  const leaveMoved = moved(previous, { ...left, members: smaller.map((member) => member.id) });
  assert.ok(leaveMoved <= (3 / 8) * 1.2, `leave moved ${leaveMoved}`);

  for (let account = 0; account < graph.nodes; account++) {
    const before = first.groups[first.groupOf[account]].members.map((member) => ids[member]);
    const after = left.groups[left.groupOf[account]].members.map((member) => smaller[member].id);
    const stayed = before.filter((id) => after.includes(id));
    assert.deepEqual(
      after.filter((id) => before.includes(id)),
      stayed,
    );
  }
});

test('one follow in a hundred replaced moves at most one account in a hundred', () => {
  const graph = social(1500, 5);
  const problem = problemOf(graph, 8, { extraCopies: 0.1 });
  const first = place(problem);
  const rng = seededRng('churn');
  const sources = new Uint32Array(graph.edges);
  const targets = graph.targets.slice();
  for (let account = 0; account < graph.nodes; account++) {
    for (let i = graph.offsets[account]; i < graph.offsets[account + 1]; i++) {
      sources[i] = account;
      if (rng() < 0.01) targets[i] = graph.targets[Math.floor(rng() * graph.edges)];
    }
  }
  const changed = buildGraph(graph.nodes, sources, targets);
  const warm = place({ ...problem, graph: changed, previous: first });
  assert.ok(moved(first, warm) <= 0.01, `${moved(first, warm)}`);
  const cold = place({ ...problem, graph: changed });
  const fanout = (placement: typeof warm) =>
    evaluate(changed, placement, problem.members, { hashSeeds: 0 }).fanout;
  assert.ok(fanout(warm) <= fanout(cold) * 1.1, `${fanout(warm)} ${fanout(cold)}`);
});

test('hub policies: together on one set, spread over all', () => {
  const graph = social(1500, 6);
  const popularity = followerCounts(graph);
  const top = Array.from(popularity.keys())
    .sort((a, b) => popularity[b] - popularity[a])
    .slice(0, 3);
  const sets = (hubs: 'together' | 'spread') => {
    const placement = place(problemOf(graph, 9, { hubs, extraCopies: 0.1 }));
    const rows = top.map((account) => placement.groups[placement.groupOf[account]]);
    assert.ok(rows.every((row) => row.hub && row.members.length === 3));
    return new Set(rows.map((row) => row.members.toSorted((a, b) => a - b).join())).size;
  };
  assert.equal(sets('together'), 1);
  assert.equal(sets('spread'), 3);
});

test('readers of hundreds of accounts open one member of each of a few mirrored sets', () => {
  // 150 readers follow 300 of 1,200 accounts each, by popularity: all need most of what is popular.
  const rng = seededRng('crowd');
  const sources: number[] = [];
  const targets: number[] = [];
  for (let reader = 0; reader < 150; reader++) {
    for (let i = 0; i < 300; i++) {
      sources.push(reader);
      targets.push(Math.floor(rng() * rng() * 1200));
    }
  }
  const graph = buildGraph(1200, Uint32Array.from(sources), Uint32Array.from(targets));
  const placement = place(problemOf(graph, 24));
  const figures = evaluate(graph, placement, equal(24), { hashSeeds: 2 });
  assert.ok(figures.fanoutOfHash <= 0.5, `fanout ${figures.fanoutOfHash}`);
  assert.ok(figures.connectionBalance <= 2.1, `connections ${figures.connectionBalance}`);
  assert.ok(figures.readBalance <= 2.1, `reads ${figures.readBalance}`);
  assert.ok(placement.groups.length <= 400, `${placement.groups.length} groups`);
});
