import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { buildGraph } from '@covey/graph';
import { PlacementTable, type TableMember } from '@covey/table';
import { computeEpoch } from './compute-epoch.ts';
import { type EpochInputs, inputsDigest } from './inputs.ts';
import { accountsOf } from './place-accounts.ts';
import { reportEpoch } from './report.ts';

const keys = Array.from({ length: 240 }, (_, i) => createHash('sha256').update(`${i}`).digest()).sort(
  Buffer.compare,
);
const pubkeys = new Uint8Array(Buffer.concat(keys));
const members = Array.from(
  { length: 5 },
  (_, i): TableMember => ({
    id: `${i}`.repeat(64),
    url: `wss://m${i}.example`,
    name: `m${i}`,
    operator: `o${i}`,
    capacity: { copies: 1, connections: 1, reads: 1 },
    state: 'active',
  }),
);
/** Even accounts follow even ones; odd ones are a ring that also follows the first even one. */
const follows: [number, number][] = [];
for (let i = 0; i < 240; i++) {
  for (let step = 2; step <= 16; step += 2) follows.push([i, (i + step) % 240]);
  if (i % 2 === 1) follows.push([i, 0]);
}

function inputs(trustSeeds: string[], pins = new Map<number, number[]>()): EpochInputs {
  return {
    cluster: 'test',
    epoch: 1,
    createdAt: 1,
    pubkeys,
    graph: buildGraph(
      240,
      Uint32Array.from(follows, ([from]) => from),
      Uint32Array.from(follows, ([, to]) => to),
    ),
    members,
    pins,
    options: {
      copies: 3,
      extraCopies: 0.1,
      hubs: 'adaptive',
      seed: 1,
      effort: 'quick',
      trustSeeds,
      trustAccounts: 200,
    },
  };
}

const seed = keys[10]!.toString('hex');

test('a ring that nobody trusted follows is listed nowhere, and its pins fill a small quota', () => {
  const pins = new Map(Array.from({ length: 120 }, (_, i) => [2 * i + 1, [4]]));
  const computed = computeEpoch(inputs([seed, 'f'.repeat(64)], pins), () => 0);
  const { readers, placed, ...trust } = computed.trust;
  assert.deepEqual(trust, { basis: 'seeds', seeds: 1, unknownSeeds: 1, pinsRefused: 120 - 3 });
  assert.ok(readers > 20 && readers <= placed && placed <= 120, `${readers} ${placed}`);
  const table = new PlacementTable(computed.table);
  const sourceOf = (account: number) => table.locate(keys[account]!).source;
  for (let ring = 1; ring < 240; ring += 2) assert.ok(sourceOf(ring) !== 'table');
  const pinned = keys.filter((_, account) => sourceOf(account) === 'pin');
  assert.equal(pinned.length, 3);
  assert.equal(table.accounts, placed + pinned.length);
  assert.equal(sourceOf(10), 'table');

  const report = reportEpoch(computed, members);
  const accounts = report.communities.reduce((sum, community) => sum + community.accounts, 0);
  assert.ok(accounts >= placed && accounts < 240);
  for (const { top } of report.communities)
    for (const { account, followers } of top) assert.ok(followers === 0 || account % 2 === 0);
});

test('without seeds everybody is listed; seeds and the bar are inputs of the digest', () => {
  const equal = computeEpoch(inputs([]), () => 0);
  assert.equal(equal.trust.basis, 'equal');
  assert.equal(new PlacementTable(equal.table).accounts, 240);
  const digests = [inputs([]), inputs([seed]), inputs([seed, 'f'.repeat(64)])].map(inputsDigest);
  const other = inputs([seed]);
  digests.push(inputsDigest({ ...other, options: { ...other.options, trustAccounts: 201 } }));
  assert.equal(new Set(digests).size, 4);
});

test('keys are found among sorted ones', () => {
  const hex = keys.map((key) => key.toString('hex'));
  assert.deepEqual(accountsOf(pubkeys, [hex[0]!, hex[239]!, hex[77]!]), [0, 239, 77]);
  assert.deepEqual(accountsOf(pubkeys, ['0'.repeat(64), 'f'.repeat(64)]), []);
  assert.deepEqual(accountsOf(new Uint8Array(0), [hex[0]!]), []);
});
