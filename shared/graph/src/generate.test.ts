import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { followerCounts } from './csr.ts';
import { generateFollows } from './generate.ts';
import { modularity } from './modularity.ts';
import { undirected } from './symmetric.ts';

test('exactly as many follows as asked for, in sorted rows without repeats and self-loops', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), fc.nat(1000), fc.nat(100), (accounts, permille, seed) => {
      const follows = Math.floor((accounts * Math.floor(accounts / 2) * permille) / 1000);
      const { graph, communityOf, communities } = generateFollows({ accounts, follows, seed });
      assert.equal(graph.nodes, accounts);
      assert.equal(graph.edges, follows);
      assert.equal(graph.targets.length, follows);
      assert.equal(graph.offsets[accounts], follows);
      for (let u = 0; u < accounts; u++) {
        for (let i = graph.offsets[u]; i < graph.offsets[u + 1]; i++) {
          assert.ok(graph.targets[i] !== u && graph.targets[i] < accounts);
          if (i > graph.offsets[u]) assert.ok(graph.targets[i - 1] < graph.targets[i]);
        }
      }
      for (const community of communityOf) assert.ok(community < communities);
      assert.equal(new Set(communityOf).size, communities);
    }),
    { numRuns: 60 },
  );
});

test('the same options give the same arrays, shared or not; another seed others', () => {
  const options = { accounts: 3000, follows: 50_000, seed: 7 };
  const one = generateFollows(options);
  const two = generateFollows({ ...options, shared: true });
  assert.ok(two.graph.targets.buffer instanceof SharedArrayBuffer);
  assert.deepEqual([...two.graph.targets], [...one.graph.targets]);
  assert.deepEqual([...two.graph.offsets], [...one.graph.offsets]);
  assert.deepEqual(two.communityOf, one.communityOf);
  assert.notDeepEqual([...generateFollows({ ...options, seed: 8 }).graph.targets], [...one.graph.targets]);
  // Written down, so that another engine or version that gives other graphs is noticed.
  assert.deepEqual([...one.graph.targets.subarray(0, 6)], [225, 385, 538, 930, 1021, 1186]);
});

test('it has hubs, skewed degrees, mutual follows and the planted communities', () => {
  const accounts = 20_000;
  const { graph, communityOf, communities } = generateFollows({ accounts, follows: 350_000, seed: 1 });
  const followers = followerCounts(graph).sort();
  assert.ok(followers[accounts - 1] > accounts / 8, `the top account has ${followers[accounts - 1]}`);
  assert.ok(followers[accounts >> 1] < 17, 'the median account has fewer than the mean');
  const degrees = graph.offsets.slice(1).map((end, u) => end - graph.offsets[u]);
  degrees.sort();
  const median = degrees[accounts >> 1];
  assert.ok(median >= 11 && median <= 13, `median ${median} of mean 17.5`);
  const mutual = 2 - undirected(graph).edges / graph.edges;
  assert.ok(mutual > 0.05 && mutual < 0.5, `mutual ${mutual}`);
  assert.ok(communities > 100);
  assert.ok(modularity(graph, communityOf) > 0.5);
});

test('sizes that no graph can have are refused, with what is possible', () => {
  const refused: [number, number, RegExp][] = [
    [-1, 0, /-1 accounts: a whole number from 0 to 2147483647/],
    [2 ** 31, 0, /2147483648 accounts/],
    [10, 2 ** 31, /2147483648 follows/],
    [10, 1.5, /1.5 follows/],
    [10, 51, /10 accounts can have 50 follows at most here, not 51/],
    [1, 1, /1 accounts can have 0 follows/],
  ];
  for (const [accounts, follows, message] of refused) {
    assert.throws(() => generateFollows({ accounts, follows, seed: 1 }), { name: 'GenerateError', message });
  }
});
