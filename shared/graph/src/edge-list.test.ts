import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EdgeListError, EdgeListParser, parseEdgeList } from './edge-list.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const edges = (text: string): string[] => {
  const { names, sources, targets } = parseEdgeList([bytes(text)]);
  return [...sources].map((source, i) => `${names[source]}>${names[targets[i]]}`);
};

test('comments, blank lines, CRLF, tabs, more columns, no last line feed', () => {
  assert.deepEqual(edges('# c\r\n\r\n a\tb \r\nb  c 0.5 x\n\n#\nα β'), ['a>b', 'b>c', 'α>β']);
  assert.deepEqual(edges(''), []);
  assert.deepEqual(edges('\n\n'), []);
});

test('a line with one token is an error with its number', () => {
  assert.throws(
    () => edges('# x\na b\nlonely\n'),
    (error: unknown) => error instanceof EdgeListError && error.line === 3 && /line 3/.test(error.message),
  );
  assert.throws(() => edges('a b\nlonely'), /line 2/);
});

test('a line that never ends is refused', () => {
  const parser = new EdgeListParser();
  assert.throws(() => {
    for (let i = 0; i < 40; i++) parser.push(new Uint8Array(1 << 16).fill(97));
  }, /line 1: longer than/);
});

test('any cut of the bytes gives what splitting lines gives', () => {
  const token = fc.string({
    minLength: 1,
    maxLength: 5,
    unit: fc.constantFrom('a', 'b', '1', '₿', ',', '%'),
  });
  const line = fc.oneof(
    fc.tuple(token, token).map(([a, b]) => `${a} ${b}`),
    fc.constantFrom('', '# note', '\t', ' \r'),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), fc.array(fc.nat(200), { maxLength: 8 }), (lines, cuts) => {
      const all = bytes(lines.join('\n'));
      const at = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
      const chunks = at.slice(1).map((end, i) => all.slice(at[i], end));
      const wanted = lines.map((text) => text.trim()).filter((text) => text !== '' && !text.startsWith('#'));
      const { names, sources, targets } = parseEdgeList(chunks);
      assert.deepEqual(
        [...sources].map((source, i) => `${names[source]} ${names[targets[i]]}`),
        wanted,
      );
      assert.equal(new Set(names).size, names.length);
    }),
  );
});

test('any bytes whatever, cut anywhere, give edges or an EdgeListError with a line', () => {
  const byte = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(9, 10, 13, 32, 35, 48, 65) }, fc.nat(255));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 300 }), fc.nat(300), (all, cut) => {
      const input = Uint8Array.from(all);
      try {
        const { names, sources, targets } = parseEdgeList([input.subarray(0, cut), input.subarray(cut)]);
        assert.equal(sources.length, targets.length);
        for (const id of [...sources, ...targets]) assert.ok(id < names.length);
        for (const name of names) assert.ok(!/[ \t\n\r\v\f]/.test(name) && name !== '');
      } catch (error) {
        assert.ok(error instanceof EdgeListError, String(error));
        const lines = all.filter((one) => one === 10).length + 1;
        assert.ok(error.line >= 1 && error.line <= lines);
      }
    }),
    { numRuns: 500 },
  );
});

test('interning survives growth of its table', () => {
  const lines = Array.from({ length: 50000 }, (_, i) => `node${i} node${(i * 7919) % 50000}`);
  const { names, sources } = parseEdgeList([bytes(lines.join('\n'))]);
  assert.equal(names.length, 50000);
  assert.equal(names[sources[49999]], 'node49999');
});

test('any bytes give edges or an error that names a line, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 4 }), (all, cuts) => {
      const at = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
      try {
        const { names, sources, targets } = parseEdgeList(at.slice(1).map((end, i) => all.slice(at[i], end)));
        assert.equal(sources.length, targets.length);
        for (const id of [...sources, ...targets]) assert.ok(id < names.length);
        assert.ok(sources.length <= [...all].filter((byte) => byte === 10).length + 1);
      } catch (error) {
        assert.ok(error instanceof EdgeListError, String(error));
        assert.ok(error.line >= 1);
      }
    }),
    { numRuns: 500 },
  );
});

test('numbering the accounts differently changes names alone', () => {
  const lines = Array.from({ length: 300 }, (_, i) => `a${(i * 7) % 40} a${(i * i) % 37}`);
  const sorted = (text: readonly string[]): string[] => edges(text.join('\n')).sort();
  assert.deepEqual(sorted(lines), sorted(lines.toReversed()));
});
