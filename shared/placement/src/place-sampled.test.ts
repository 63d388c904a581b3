import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectCommunities, generateFollows } from '@covey/graph';
import { evaluate } from './evaluate.ts';
import { place } from './place.ts';
import { noGroup, type PlacementMember, type PlacementProblem } from './problem.ts';
import { readersToSearch, sampledProblem } from './sample.ts';

const accounts = 6000;
const { graph } = generateFollows({ accounts, follows: 90_000, seed: 4 });
const { communityOf } = detectCommunities(graph, { engine: 'auto', seed: 1 });
const members: PlacementMember[] = Array.from({ length: 16 }, (_, i) => ({
  id: `m${i}`,
  operator: `o${i >> 1}`,
}));
const problem: PlacementProblem = {
  graph,
  communityOf,
  members,
  copies: 3,
  extraCopies: 0.1,
  hubs: 'adaptive',
  seed: 1,
  effort: 'quick',
};
const searchFollowsMax = 60_000;

test('a sample has about the follows asked for, from every community, and its accounts keep their names', () => {
  assert.equal(readersToSearch(problem), undefined);
  const readers = readersToSearch({ ...problem, searchFollowsMax })!;
  const degree = (account: number): number => graph.offsets[account + 1] - graph.offsets[account];
  const follows = readers.reduce((sum, account) => sum + degree(account), 0);
  assert.ok(follows > 0.8 * (searchFollowsMax / 4) && follows < 1.2 * (searchFollowsMax / 4), `${follows}`);
  const sampled = new Set(Array.from(readers, (account) => communityOf[account]));
  assert.equal(sampled.size, new Set(communityOf).size);
  const pins = new Map([[17, [3]]]);
  const denied = (account: number): boolean => account === 17;
  const small = sampledProblem(
    { ...problem, pins, members: [{ id: 'x', denied }, ...members.slice(1)] },
    readers,
  );
  const at = small.accounts.indexOf(17);
  assert.deepEqual([...small.problem.pins!], [[at, [3]]]);
  assert.ok(small.problem.members[0].denied!(at));
  assert.equal(small.problem.slots![at], 17);
  for (let node = 0; node < small.accounts.length; node++) {
    const row = small.problem.graph.targets.subarray(
      small.problem.graph.offsets[node],
      small.problem.graph.offsets[node + 1],
    );
    if (row.length === 0) continue;
    const account = small.accounts[node];
    assert.deepEqual(
      Array.from(row, (target) => small.accounts[target]),
      [...graph.targets.subarray(graph.offsets[account], graph.offsets[account + 1])],
    );
  }
});

test('who is not in the sample is placed too: all limits hold, and readers whom the search did not see gain', () => {
  const readers = new Set(readersToSearch({ ...problem, searchFollowsMax }));
  const pins = new Map([
    [11, [5]],
    [12, [6, 8]],
  ]);
  const refused = (account: number): boolean => account % 7 === 0;
  const picky = members.map((member, i) => (i === 2 ? { ...member, denied: refused } : member));
  const admitted = Uint8Array.from({ length: accounts }, (_, account) => (account % 50 === 1 ? 0 : 1));
  const sampled = { ...problem, members: picky, pins, admitted, searchFollowsMax };
  const placement = place(sampled);
  assert.deepEqual(place(sampled), placement, 'the same again');
  for (let account = 0; account < accounts; account++) {
    assert.notEqual(placement.groupOf[account], noGroup);
    const group = placement.groups[placement.groupOf[account]];
    assert.equal(group.copies, 3);
    assert.equal(new Set(group.members).size, group.members.length);
    assert.equal(group.hashed === true, admitted[account] === 0);
    if (admitted[account] === 0) continue;
    assert.equal(new Set(group.members.slice(0, 3).map((m) => members[m].operator)).size, 3);
    if (refused(account)) assert.ok(!group.members.includes(2), `account ${account} is denied`);
  }
  assert.equal(placement.groups[placement.groupOf[11]].members[0], 5);
  assert.deepEqual(placement.groups[placement.groupOf[12]].members.slice(0, 2), [6, 8]);
  const others: number[] = [];
  for (let account = 0; account < accounts && others.length < 1500; account++) {
    if (!readers.has(account) && graph.offsets[account + 1] - graph.offsets[account] >= 5)
      others.push(account);
  }
  const measured = evaluate(graph, placement, picky, { readers: Uint32Array.from(others), hashSeeds: 1 });
  assert.ok(measured.fanoutOfHash < 0.75, `${measured.fanoutOfHash} of hash`);
  assert.ok(measured.copiesBalance <= 1.12, `copies ${measured.copiesBalance}`);
  assert.ok(measured.masterBalance <= 1.3, `masters ${measured.masterBalance}`);
  assert.ok(measured.copiesPerUser <= 3.31);
});

test('a warm start of a large problem keeps what is in use', () => {
  const large = { ...problem, searchFollowsMax };
  const first = place(large);
  const previous = { groupOf: first.groupOf, groups: first.groups };
  const second = place({ ...large, previous });
  let changed = 0;
  for (let account = 0; account < accounts; account++) {
    const before = [...first.groups[first.groupOf[account]].members].sort();
    const after = [...second.groups[second.groupOf[account]].members].sort();
    if (before.join() !== after.join()) changed++;
  }
  assert.ok(changed <= 0.01 * accounts, `${changed} of ${accounts} moved`);
});
