import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildGraph, detectCommunities, type FollowGraph, seededRng } from '@covey/graph';
import { evaluate } from './evaluate.ts';
import { place } from './place.ts';

const accounts = 9;
const members = 3;
/** Copies that a member may hold, as place() rounds its cap. */
const cap = Math.ceil((accounts / members) * 1.04);

/** Everybody follows five others: two thirds of them in a trio of their own, as far as that goes. */
function tinyGraph(seed: number): FollowGraph {
  const rng = seededRng(seed);
  const sources: number[] = [];
  const targets: number[] = [];
  for (let account = 0; account < accounts; account++) {
    const followees = new Set<number>();
    while (followees.size < 5) {
      const near = Math.floor(account / 3) * 3 + Math.floor(rng() * 3);
      const target = rng() < 0.6 ? near : Math.floor(rng() * accounts);
      if (target !== account) followees.add(target);
    }
    for (const target of followees) {
      sources.push(account);
      targets.push(target);
    }
  }
  return buildGraph(accounts, Uint32Array.from(sources), Uint32Array.from(targets));
}

/** Least relays opened over all ways to put one copy of each account on a member, within caps, loads at most twice the mean. */
function optimum(graph: FollowGraph): number {
  const at = new Uint8Array(accounts);
  const held = new Uint8Array(members);
  let least = Number.POSITIVE_INFINITY;
  const look = (): void => {
    const connections = new Float64Array(members);
    const reads = new Float64Array(members);
    let opened = 0;
    for (let reader = 0; reader < accounts; reader++) {
      const counts = new Uint8Array(members);
      for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) counts[at[graph.targets[i]]]++;
      for (let member = 0; member < members; member++) {
        if (counts[member] === 0) continue;
        opened++;
        connections[member]++;
        reads[member] += counts[member];
      }
    }
    const isWithin = (loads: Float64Array): boolean =>
      Math.max(...loads) <= (2 * loads.reduce((sum, load) => sum + load, 0)) / members;
    if (isWithin(connections) && isWithin(reads)) least = Math.min(least, opened / accounts);
  };
  const assign = (account: number): void => {
    if (account === accounts) {
      look();
      return;
    }
    for (let member = 0; member < members; member++) {
      if (held[member] === cap) continue;
      held[member]++;
      at[account] = member;
      assign(account + 1);
      held[member]--;
    }
  };
  assign(0);
  return least;
}

test('on tiny graphs the search finds what trying everything finds, or close to it', () => {
  let found = 0;
  let ours = 0;
  let best = 0;
  const seeds = 20;
  for (let seed = 0; seed < seeds; seed++) {
    const graph = tinyGraph(seed);
    const { communityOf } = detectCommunities(graph, { engine: 'auto', seed });
    const list = Array.from({ length: members }, (_, i) => ({ id: `m${i}` }));
    const placement = place({
      graph,
      communityOf,
      members: list,
      copies: 1,
      extraCopies: 0,
      hubs: 'adaptive',
      seed,
      effort: 'normal',
    });
    const { fanout, copiesBalance } = evaluate(graph, placement, list, { hashSeeds: 0 });
    const least = optimum(graph);
    assert.ok(copiesBalance * (accounts / members) <= cap + 1e-9, `seed ${seed}: ${copiesBalance}`);
    assert.ok(fanout <= least * 1.15 + 1e-9, `seed ${seed}: ${fanout}, where ${least} is the least`);
    if (fanout <= least + 1e-9) found++;
    ours += fanout;
    best += least;
  }
  console.log(`the optimum in ${found} of ${seeds}; ${(ours / best).toFixed(3)} of it on average`);
  assert.ok(found >= seeds / 2, `${found} of ${seeds}`);
  assert.ok(ours <= best * 1.04, `${ours / best}`);
});
