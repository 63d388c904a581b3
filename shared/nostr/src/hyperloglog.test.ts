import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Filter } from './filter.ts';
import { HyperLogLog, hyperLogLogOffset } from './hyperloglog.ts';

const key = (n: number) => createHash('sha256').update(String(n)).digest('hex');
const offset = (tags: Filter['tags']) => hyperLogLogOffset({ tags });

describe('HyperLogLog of NIP-45', () => {
  it('begins where the first value of the first tag says', () => {
    const id = `${'0'.repeat(32)}c${'0'.repeat(31)}`;
    assert.equal(offset({ e: [id] }), 20);
    assert.equal(offset({ a: [`30023:${id}:a:b`] }), 20);
    assert.equal(offset({ p: [id, key(1)], e: [key(2)] }), 20);
    const digest = createHash('sha256').update('nostr').digest('hex');
    assert.equal(offset({ t: ['nostr'] }), 8 + Number.parseInt(digest[32]!, 16));
    assert.equal(offset({}), undefined);
    assert.equal(offset({ t: [] }), undefined);
  });

  it('keeps in the register that a byte names the most leading zeros that follow, and one', () => {
    const hll = new HyperLogLog(8);
    const pubkey = (register: string, rest: string) => `${'f'.repeat(16)}${register}${rest}`.padEnd(64, 'f');
    hll.add(pubkey('00', 'ff'));
    hll.add(pubkey('01', '00ff'));
    hll.add(pubkey('01', '7f'));
    hll.add(pubkey('02', '0001'));
    hll.add(pubkey('ff', '00'.repeat(7)));
    const hex = hll.hex;
    assert.equal(hex.length, 512);
    assert.equal(hex.slice(0, 6), '010910');
    assert.equal(hex.slice(-2), '39');
    assert.equal(hex.slice(6, -2), '0'.repeat(504));
  });

  it('estimates within a fifth, and what two relays counted merges to what one would have', () => {
    for (const count of [1, 10, 100, 1000, 20_000]) {
      const [all, even, odd] = [new HyperLogLog(9), new HyperLogLog(9), new HyperLogLog(9)];
      for (let i = 0; i < count; i++) {
        all.add(key(i));
        all.add(key(i));
        (i % 2 ? odd : even).add(key(i));
      }
      assert.ok(Math.abs(all.estimate() - count) <= Math.max(1, count / 5), `${count}: ${all.estimate()}`);
      assert.ok(even.merge(odd.hex));
      assert.equal(even.hex, all.hex);
    }
  });

  it('takes nothing that is no such value', () => {
    const hll = new HyperLogLog(8);
    for (const bad of [undefined, 7, '', '00', 'zz'.repeat(256), 'ff'.repeat(256), '0'.repeat(514)])
      assert.equal(hll.merge(bad), false);
    assert.equal(hll.hex, '00'.repeat(256));
    assert.equal(hll.estimate(), 0);
  });
});
