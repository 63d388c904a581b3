import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { detectCommunities, edgeWeights, generateFollows, modularity, rankAccounts } from '@covey/graph';
import { ThreadError, ThreadTeam } from './thread-team.ts';

const teams: ThreadTeam[] = [];
before(async () => {
  for (const threads of [1, 2, 3]) teams.push(await ThreadTeam.start(threads));
});
after(() => Promise.all(teams.map((team) => team.close())));

const { graph } = generateFollows({ accounts: 12_000, follows: 150_000, seed: 5, shared: true });

test('communities do not depend on the number of threads, nor on the run', () => {
  const alone = detectCommunities(graph, { engine: 'leiden', seed: 3 });
  assert.ok(Math.abs(alone.modularity - modularity(graph, alone.communityOf)) < 1e-9);
  for (const team of [...teams, ...teams]) {
    assert.deepEqual(detectCommunities(graph, { engine: 'leiden', seed: 3, team }), alone);
  }
});

test('nor do weighted ones, of any resolution', () => {
  const weights = edgeWeights(graph, rankAccounts(graph, Uint32Array.of(1, 2, 3)).ranks, 1e7);
  for (const resolution of [0.5, 3]) {
    const options = { engine: 'leiden', seed: 1, weights, resolution } as const;
    const alone = detectCommunities(graph, options);
    for (const team of teams) assert.deepEqual(detectCommunities(graph, { ...options, team }), alone);
  }
});

test('two teams at work by turns do not disturb each other, and a graph without follows needs none', () => {
  const [, two, three] = teams;
  const one = detectCommunities(graph, { engine: 'leiden', seed: 9, team: two! });
  const other = detectCommunities(graph, { engine: 'leiden', seed: 9, team: three! });
  assert.deepEqual(one, other);
  const none = generateFollows({ accounts: 3, follows: 0, seed: 1 }).graph;
  assert.equal(detectCommunities(none, { engine: 'leiden', seed: 1, team: two! }).count, 3);
});

test('what fails in a thread fails the step', async () => {
  const team = await ThreadTeam.start(2);
  // A workspace of the wrong shape: kernels throw, in the caller's thread or in the other.
  team.attach({ level: { nodes: 10 } } as never);
  assert.throws(
    () => {
      for (let i = 0; i < 1000; i++) team.run('mark', 64);
    },
    (error) => error instanceof ThreadError || error instanceof TypeError,
  );
  await team.close();
});
