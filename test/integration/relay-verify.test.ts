import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster } from './relay-fixture.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.make(1);
  await cluster.startAll({ verifyThreads: 2 });
});
after(() => cluster.stop());

it('answers a connection in its order, whatever is checked where, and tells forged from good', async () => {
  const client = await WireClient.open(cluster.members[0]!.url);
  const me = newSigner();
  const other = me.sign({ content: 'other' });
  const sent = Array.from({ length: 400 }, (_, i) => {
    const good = me.sign({ content: 'x'.repeat((i * 37) % 4000), tags: [['i', String(i)]] });
    if (i % 5 === 1) return { event: { ...good, sig: other.sig }, accepted: false };
    if (i % 5 === 2) return { event: { ...good, kind: -1 }, accepted: false }; // refused without a look at its signature
    return { event: good, accepted: true };
  });
  for (const { event } of sent) client.send('EVENT', event);
  await client.wait('the last OK', (f) => f[0] === 'OK' && f[1] === sent[399]!.event.id);
  const answers = client.frames.filter((f) => f[0] === 'OK').map((f) => [f[1], f[2]]);
  assert.deepEqual(
    answers,
    sent.map(({ event, accepted }) => [event.id, accepted]),
  );
  client.close();
});
