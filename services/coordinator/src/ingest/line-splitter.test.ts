import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineSplitter } from './line-splitter.ts';
import type { SourceChunk } from './source-chunk.ts';

function split(content: Uint8Array, cuts: readonly number[], lineBytesMax: number) {
  const splitter = new LineSplitter(lineBytesMax);
  const chunks: SourceChunk[] = [];
  let from = 0;
  for (const to of [...cuts.filter((cut) => cut <= content.length)]
    .sort((a, b) => a - b)
    .concat(content.length)) {
    chunks.push(...splitter.push(content.subarray(from, to)));
    from = to;
  }
  chunks.push(...splitter.end());
  const lines: string[] = [];
  let tooLarge = 0;
  for (const { records, rejected } of chunks) {
    tooLarge += rejected?.['too large'] ?? 0;
    let at = 0;
    for (const end of records?.ends ?? []) {
      lines.push(Buffer.from(records!.bytes.subarray(at, end)).toString('latin1'));
      at = end;
    }
  }
  return { lines, tooLarge };
}

test('lines are the same however the bytes are cut', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' ', '\r'), maxLength: 200 });
  fc.assert(
    fc.property(text, fc.array(fc.nat(200)), (content, cuts) => {
      const all = content.split('\n').filter((line) => line.trim() !== '' || line.length > 10);
      assert.deepEqual(split(Buffer.from(content), cuts, 10), {
        lines: all.filter((line) => line.length <= 10),
        tooLarge: all.filter((line) => line.length > 10).length,
      });
    }),
  );
});

test('an endless line is never held', () => {
  const splitter = new LineSplitter(1_000);
  const piece = Buffer.alloc(2 ** 20, 'x');
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 1_000; i++) assert.deepEqual([...splitter.push(piece)], []);
  assert.ok(process.memoryUsage().arrayBuffers - before < 50 * 2 ** 20, 'a gigabyte went by, little is held');
  const [chunk] = [...splitter.end()];
  assert.deepEqual(chunk?.rejected, { 'too large': 1 });
});

test('a byte-order mark at the start belongs to no line', () => {
  assert.deepEqual(split(Buffer.from('\ufeff{}\n{}'), [], 10).lines, ['{}', '{}']);
});
