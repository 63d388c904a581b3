import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  answerReconciliation,
  continueReconciliation,
  NegentropyError,
  type NegentropyItem,
  NegentropyItems,
  startReconciliation,
} from './index.ts';

interface OracleStorage {
  insert(timestamp: number, id: string): void;
  seal(): void;
}
/** nostr-tools has this module in its package without a name to import it by. */
const oracle: {
  NegentropyStorageVector: new () => OracleStorage;
  Negentropy: new (
    storage: OracleStorage,
    frameBytesMax: number,
  ) => {
    initiate(): string;
    reconcile(message: string, onHave?: (id: string) => void, onNeed?: (id: string) => void): string | null;
  };
} = await import(new URL('./nip77.js', import.meta.resolve('nostr-tools')).href);

const idOf = (n: number) => createHash('sha256').update(String(n)).digest('hex');
const item = (n: number, times: number): NegentropyItem => ({ id: idOf(n), createdAt: n % times });
const idsOf = (items: readonly NegentropyItem[]) => new Set(items.map(({ id }) => id));
const minus = (a: Set<string>, b: Set<string>) => [...a].filter((id) => !b.has(id)).sort();

/** Lets two sets talk until the asking side has nothing left to say. */
function reconcile(
  mine: readonly NegentropyItem[],
  theirs: readonly NegentropyItem[],
  frameBytesMax: number,
): { have: string[]; need: string[]; messages: number; bytesMax: number } {
  const a = new NegentropyItems(mine);
  const b = new NegentropyItems(theirs);
  const have: string[] = [];
  const need: string[] = [];
  let message: string | undefined = startReconciliation(a);
  let bytesMax = message.length / 2;
  let messages = 0;
  while (message !== undefined) {
    assert.ok(++messages < 500, 'no end in sight');
    const answer = answerReconciliation(b, message, { frameBytesMax });
    const found = continueReconciliation(a, answer, { frameBytesMax });
    have.push(...found.have);
    need.push(...found.need);
    message = found.message;
    bytesMax = Math.max(bytesMax, answer.length / 2, (message?.length ?? 0) / 2);
  }
  return { have: have.sort(), need: need.sort(), messages, bytesMax };
}

/** Who has which of so many items, by chance. */
function someSets(count: number, shared: number, times: number, seed: number) {
  const draw = (n: number) => Number.parseInt(idOf(n * 7919 + seed).slice(0, 8), 16) / 2 ** 32;
  const mine: NegentropyItem[] = [];
  const theirs: NegentropyItem[] = [];
  for (let n = 0; n < count; n++) {
    const x = draw(n);
    if (x < shared || x < (1 + shared) / 2) mine.push(item(n, times));
    if (x < shared || x >= (1 + shared) / 2) theirs.push(item(n, times));
  }
  return { mine, theirs };
}

test('two sets reconcile to the exact difference, whatever they share, at any frame size', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(1, 3, 100, 1e9),
      fc.constantFrom(4096, 8192, 1e9),
      fc.nat(1e6),
      (count, shared, times, frameBytesMax, seed) => {
        const { mine, theirs } = someSets(count, shared, times, seed);
        const { have, need, bytesMax } = reconcile(mine, theirs, frameBytesMax);
        assert.deepEqual(have, minus(idsOf(mine), idsOf(theirs)));
        assert.deepEqual(need, minus(idsOf(theirs), idsOf(mine)));
        assert.ok(bytesMax <= frameBytesMax, `${bytesMax} bytes`);
      },
    ),
    { numRuns: 60, seed: 77 },
  );
});

test('30,000 items of which ten differ take few messages and bytes', () => {
  const all = Array.from({ length: 30_000 }, (_, n) => item(n, 1e9));
  const { have, need, messages, bytesMax } = reconcile(all.slice(5), all.slice(0, -5), 65_536);
  assert.deepEqual(
    have,
    all
      .slice(-5)
      .map(({ id }) => id)
      .sort(),
  );
  assert.deepEqual(
    need,
    all
      .slice(0, 5)
      .map(({ id }) => id)
      .sort(),
  );
  assert.ok(messages <= 4, `${messages} messages`);
  assert.ok(bytesMax < 8192, `${bytesMax} bytes`);
});

test('answers the implementation of nostr-tools, which has only the side that asks', () => {
  for (const [count, shared, times, frame] of [
    [0, 1, 1, 65536],
    [40, 0.5, 5, 65536],
    [2000, 0.9, 50, 65536],
    [5000, 0.2, 1e9, 4096],
  ] as const) {
    const { mine, theirs } = someSets(count, shared, times, 1);
    const vector = (items: readonly NegentropyItem[]) => {
      const storage = new oracle.NegentropyStorageVector();
      for (const { id, createdAt } of items) storage.insert(createdAt, id);
      storage.seal();
      return storage;
    };
    const options = { frameBytesMax: frame };
    const want = [minus(idsOf(mine), idsOf(theirs)), minus(idsOf(theirs), idsOf(mine))];

    const asking = new oracle.Negentropy(vector(mine), frame);
    const b = new NegentropyItems(theirs);
    const have: string[] = [];
    const need: string[] = [];
    for (let message: string | null = asking.initiate(); message !== null; )
      message = asking.reconcile(
        answerReconciliation(b, message, options),
        (id: string) => have.push(id),
        (id: string) => need.push(id),
      );
    assert.deepEqual([have.sort(), need.sort()], want);
  }
});

test('a message of another version is answered by the version spoken here; garbage is a NegentropyError', () => {
  const items = new NegentropyItems([item(1, 10), item(2, 10)]);
  const options = { frameBytesMax: 4096 };
  assert.equal(answerReconciliation(items, '62ff', options), '61');
  assert.throws(() => continueReconciliation(items, '62', options), NegentropyError);
  for (const message of [
    '',
    '6',
    'zz',
    '00',
    '61',
    '6100',
    `610000${'02'}`,
    '61000003',
    '610000029fffffffffffffffff7f',
  ])
    try {
      answerReconciliation(items, message, options);
      assert.equal(message, '61');
    } catch (error) {
      assert.ok(error instanceof NegentropyError, `${message}: ${error}`);
    }
});

test('no bytes whatever make either side throw anything but a NegentropyError, or say too much', () => {
  const items = new NegentropyItems(Array.from({ length: 500 }, (_, n) => item(n, 90)));
  const options = { frameBytesMax: 4096 };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const message = `61${Buffer.from(bytes).toString('hex')}`;
      for (const side of [
        () => answerReconciliation(items, message, options).length / 2,
        () => (continueReconciliation(items, message, options).message ?? '').length / 2,
      ])
        try {
          assert.ok(side() <= options.frameBytesMax);
        } catch (error) {
          if (!(error instanceof NegentropyError)) throw error;
        }
    }),
    { numRuns: 2000, seed: 77 },
  );
});
