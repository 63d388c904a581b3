/**
 * Writes reader-rule.json: `node test/vectors/make-reader-vectors.ts > test/vectors/reader-rule.json`. Run it only when the
 * rule changes on purpose; shared/placement/src/reader-rule.test.ts holds the code to the file.
 */
import { createHash } from 'node:crypto';
import { seededUint32 } from '@covey/graph';
import { exp2Fixed, log2Fixed, memberNumber, movePrices, negLn, openScore, planRelays, PRICE_ONE, priceOf, readerNumber, readScore } from '@covey/placement';

const keyOf = (name: string) => createHash('sha256').update(name).digest();
const random = seededUint32('reader vectors');
const members = Array.from({ length: 6 }, (_, i) => keyOf(`member ${i}`).toString('hex'));
const numbers = members.map(memberNumber);
const readers = ['ann', 'bob', 'cid', 'dot'].map((name) => keyOf(name).toString('hex'));
const openPrices = [4096, 4096, 8192, 2048, 65536, 256];
const readPrices = [4096, 1000, 4096, 9000, 4096, 4096];
const lists = [
  [[0, 1], [0, 1], [0, 2], [0, 2], [1], [2]],
  [[0, 1, 2], [1, 2, 3], [3, 4, 5], [0, 4, 5], [2, 3, 4], [5, 1, 0], [0, 2, 4], [1, 3, 5]],
  [[3], [], [3, 5], [5, 3], [0, 1, 2, 3, 4, 5]],
  Array.from({ length: 24 }, () => {
    const row = new Set<number>();
    while (row.size < 3) row.add(random() % 6);
    return [...row];
  }),
];
const logs = new Int32Array(5);
const loads = [[10, 20, 30, 40, 0], [10, 20, 30, 40, null], [0, 0, 0, 0, 0], [1000, 1, 1, 1, 1]];
const steps = loads.map((step) => {
  movePrices(logs, step.map((load) => load ?? Number.NaN));
  return { loads: step, logs: [...logs], prices: Array.from(logs, priceOf) };
});
const vectors = {
  log2: [1, 2, 3, 4095, 4096, 65536, 4294967295, 4294967296].map((value) => [value, log2Fixed(value)]),
  negLn: [0, 1, 2, 0x7fffffff, 0xfffffffe, 0xffffffff].map((hash) => [hash, negLn(hash)]),
  exp2: [-67108864, -1, 0, 1, 8388608, 12345678, 67108864].map((exponent) => [exponent, exp2Fixed(exponent, PRICE_ONE)]),
  readers: readers.map((key) => [key, readerNumber(Buffer.from(key, 'hex'))]),
  members: members.map((id, i) => [id, numbers[i]]),
  scores: readers.map((key, i) => {
    const reader = readerNumber(Buffer.from(key, 'hex'));
    return { reader, member: numbers[i]!, price: openPrices[i]!, open: openScore(reader, numbers[i]!, openPrices[i]!), read: readScore(reader, numbers[i]!, openPrices[i]!) };
  }),
  steps,
  plans: lists.flatMap((holders) =>
    readers.flatMap((key) =>
      [1, 2].map((copies) => {
        const reader = readerNumber(Buffer.from(key, 'hex'));
        const plan = planRelays({ keys: holders.length, holders: (i) => holders[i]!, copies, reader, numbers, openPrices, readPrices });
        return { reader, holders, copies, plan };
      }),
    ),
  ),
  openPrices,
  readPrices,
};
const line = (value: unknown) => JSON.stringify(value);
console.log(
  `{\n${Object.entries(vectors)
    .map(([name, value]) => `${line(name)}: ${Array.isArray(value) ? `[\n${value.map(line).join(',\n')}\n]` : line(value)}`)
    .join(',\n')}\n}`,
);
