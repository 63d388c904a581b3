import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildGraph } from '@covey/graph';
import type { EpochInputs } from './inputs.ts';
import { InputsFileError, packInputs, unpackInputs } from './inputs-file.ts';

test('inputs are the same after packing, and anything else is refused', async () => {
  const inputs = {
    cluster: 'birds',
    epoch: 3,
    createdAt: 5,
    pubkeys: new Uint8Array(96).map((_, i) => i),
    graph: buildGraph(3, Uint32Array.of(0, 1), Uint32Array.of(1, 2)),
    members: [],
    pins: new Map([[2, [1, 0]]]),
    previous: Uint8Array.of(1, 2, 3),
    previousRoot: undefined,
    options: { copies: 1, trustSeeds: ['a'] },
  } as unknown as EpochInputs;
  const pieces = (await packInputs(inputs))!;
  const { previousRoot: _, ...rest } = inputs;
  assert.deepEqual(unpackInputs(pieces), rest);
  assert.deepEqual(await packInputs(inputs), pieces, 'the same bytes each time');
  assert.throws(() => unpackInputs([Buffer.from('nonsense')]), InputsFileError);
  assert.throws(() => unpackInputs(pieces.map((piece) => piece.subarray(0, -9))), InputsFileError);
});
