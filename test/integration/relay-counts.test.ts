import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { HyperLogLog, hyperLogLogOffset } from '@covey/nostr';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster } from './relay-fixture.ts';

describe('a count of more than one read brings', { timeout: 60_000 }, () => {
  let cluster: TestCluster;
  after(() => cluster.stop());

  it('is what the holders count, merged, and says that it is about so many', async () => {
    cluster = await TestCluster.make(2, { limits: { limitMax: 20 }, slotMembers: [0] });
    const alice = newSigner();
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.startAll({ authKinds: [1059] });
    const fans = Array.from({ length: 80 }, () => newSigner());
    const holder = await WireClient.open(cluster.members[0]!.url);
    const tags = [['p', alice.pubkey]];
    for (const fan of fans) assert.equal((await holder.publish(fan.sign({ kind: 3, tags })))[0], true);
    const secret = newSigner().sign({ kind: 1059, tags });
    assert.equal((await holder.publish(secret))[0], true);

    const count = async (client: WireClient, filter: object) => {
      const id = `count-${client.frames.length}`;
      client.send('COUNT', id, filter);
      const frame = await client.wait('COUNT', (f) => f[0] === 'COUNT' && f[1] === id);
      return frame[2] as { count: number; approximate?: boolean; hll?: string };
    };
    const want = new HyperLogLog(hyperLogLogOffset({ tags: { p: [alice.pubkey] } })!);
    for (const { pubkey } of fans) want.add(pubkey);
    const followers = { kinds: [3], '#p': [alice.pubkey] };
    // Follow lists that tag too many are not delivered: about so many, here as well.
    assert.deepEqual(await count(holder, followers), { count: 80, approximate: true, hll: want.hex });

    const elsewhere = await WireClient.open(cluster.members[1]!.url);
    const merged = await count(elsewhere, followers);
    assert.equal(merged.hll, want.hex);
    assert.equal(merged.approximate, true);
    assert.equal(merged.count, Math.max(80, want.estimate()));
    // Without kinds it might count gift wraps, which are not for who asks: only what was read counts.
    const all = await count(elsewhere, { '#p': [alice.pubkey] });
    assert.equal(all.approximate, true);
    assert.ok(all.count <= 40, `${all.count}`);
    holder.close();
    elsewhere.close();
  });
});
