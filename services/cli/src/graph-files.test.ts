import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { generateFollows } from '@covey/graph';
import { InputError, readGraph, writeEdges } from './graph-files.ts';

test('an edge list that was written is read as the same graph, plain and gzip', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'covey-graph-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { graph } = generateFollows({ accounts: 3000, follows: 60_000, seed: 3 });
  for (const name of ['follows.txt', 'follows.txt.gz']) {
    const path = join(folder, name);
    await writeEdges(path, graph);
    const read = await readGraph(path, false);
    assert.equal(read.edges, graph.edges);
    const follows = new Set<string>();
    for (let u = 0; u < read.nodes; u++) {
      for (let i = read.offsets[u]; i < read.offsets[u + 1]; i++) {
        follows.add(`${read.names[u]} ${read.names[read.targets[i]]}`);
      }
    }
    for (let u = 0; u < graph.nodes; u++) {
      for (let i = graph.offsets[u]; i < graph.offsets[u + 1]; i++) {
        assert.ok(follows.delete(`${u} ${graph.targets[i]}`));
      }
    }
    assert.equal(follows.size, 0);
  }
  const plain = readFileSync(join(folder, 'follows.txt'));
  assert.deepEqual(gunzipSync(readFileSync(join(folder, 'follows.txt.gz'))), plain);
  await assert.rejects(writeEdges(join(folder, 'missing', 'x'), graph), InputError);
});
