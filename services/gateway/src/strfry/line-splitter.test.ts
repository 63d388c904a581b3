import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineSplitter, type LineTraces, tracesOf } from './line-splitter.ts';

function split(chunks: readonly Buffer[], lineBytesMax = 1 << 20) {
  const lines: string[] = [];
  const overlong: LineTraces[] = [];
  const splitter = new LineSplitter({
    lineBytesMax,
    onLine: (line) => lines.push(line),
    onOverlong: (traces) => overlong.push(traces),
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return { lines, overlong };
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const edges = [0, ...at.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i]!, end));
}

test('the same lines come out however the stream is cut', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (lines, at) => {
      const bytes = Buffer.from(lines.join('\n'));
      const expected = bytes
        .toString('utf8')
        .split('\n')
        .filter((text) => text.trim());
      assert.deepEqual(split(cut(bytes, at)).lines, expected);
    }),
  );
});

test('an over-long line is passed, its id and source found wherever it is cut', () => {
  const id = 'ab'.repeat(32);
  const before = `{"event":{"content":"${'x'.repeat(300)} \\"id\\":\\"${'cd'.repeat(32)}\\"","id":"`;
  const bytes = Buffer.from(
    `short\n${before}${id}","kind":1,"tags":[["id","y"]]},"sourceType":"Sync"}\nlast\n`,
  );
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 20 }), (at) => {
      const { lines, overlong } = split(cut(bytes, at), 100);
      assert.deepEqual(lines, ['short', 'last']);
      assert.deepEqual(overlong, [{ id, sourceType: 'Sync' }]);
    }),
  );
});

test('a line of exactly the bound is a line', () => {
  assert.deepEqual(split([Buffer.from('12345\n123456\n')], 5), { lines: ['12345'], overlong: [{}] });
});

test('an id is 64 hex digits under its own name', () => {
  assert.deepEqual(tracesOf('{"id":"short","sourceType":"IP4"'), { sourceType: 'IP4' });
  assert.deepEqual(tracesOf(`["id","${'a'.repeat(64)}"]`), {});
  assert.deepEqual(tracesOf(`"id" : "${'a'.repeat(64)}"`), { id: 'a'.repeat(64) });
});
