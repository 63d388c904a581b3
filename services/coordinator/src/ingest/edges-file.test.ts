import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { npubEncode } from '@covey/nostr';
import { EDGE_BOUNDS, type EdgeBounds, edgesFileChunks } from './edges-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'covey-edges-'));
after(() => rmSync(directory, { recursive: true }));
const [a, b, c] = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32)) as [string, string, string];

async function read(content: string, bounds: EdgeBounds = EDGE_BOUNDS) {
  const path = join(directory, 'edges');
  writeFileSync(path, content);
  const lists: Record<string, string> = {};
  let unreadable = 0;
  for await (const chunk of edgesFileChunks(path, 'test', 5, bounds)) {
    unreadable += chunk.rejected?.['unreadable line'] ?? 0;
    for (const list of chunk.lists ?? []) {
      assert.ok(list.type === 'follows' && !list.signed && list.createdAt === 5);
      lists[Buffer.from(list.pubkey).toString('hex')] = Buffer.from(list.followees).toString('hex');
    }
  }
  return { lists, unreadable };
}

test('hex and npub, blanks and commas, scattered lines, repeats and self-follows', async () => {
  const content = `# follows\n${a} ${c}\n${b},${a}\n${npubEncode(a)}\t${b}\n${a} ${a}\n${a.toUpperCase()} ${b} 0.5\r\n`;
  assert.deepEqual(await read(content), { lists: { [a]: b + c, [b]: a }, unreadable: 0 });
});

test('lines that are no edges are counted', async () => {
  const long = `${a} ${b} ${'x'.repeat(10_000)}`;
  assert.deepEqual(await read(`${a}\n${a} nobody\nnote1abc ${b}\n${long}\n${a} ${b}`), {
    lists: { [a]: b },
    unreadable: 4,
  });
});

test('a list over the bounds is refused whole, with what to do', async () => {
  await assert.rejects(
    read(`${a} ${b}\n${a} ${c}\n`, { accountsMax: 9, edgesMax: 1 }),
    /split it by follower/,
  );
  await assert.rejects(read(`${a} ${b}\n${a} ${c}\n`, { accountsMax: 2, edgesMax: 9 }), /over 2 accounts/);
});
