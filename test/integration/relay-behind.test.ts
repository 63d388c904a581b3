import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { freePort } from '../support/free-port.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { TestCluster, until } from './relay-fixture.ts';

/** The sum of a metric's values with these labels, as operators see it. */
async function metric(port: number, start: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(start))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('a member that others can not reach hears of what waits for it, and serves nothing old meanwhile', async () => {
  const cluster = await TestCluster.make(3);
  const [first, , cut] = cluster.members;
  const proxy = await TcpProxy.start(await freePort(), cut!.port);
  cut!.url = `ws://127.0.0.1:${proxy.port}`;
  try {
    const author = newSigner();
    cluster.place([{ members: [0, 1, 2], accounts: [author.pubkey] }]);
    for (const member of cluster.members) await member.start({ publicUrl: member.url });
    await cluster.well();
    const writer = await WireClient.open(first!.url);
    const before = author.sign({ content: 'before' });
    assert.equal((await writer.publish(before))[0], true);
    await until('a third copy', () => hasEvent(cut!.port, before.id));

    proxy.cut(); // in one direction: its own connections to the others stand
    const event = author.sign({ content: 'while it was cut off' });
    assert.equal((await writer.publish(event))[0], true);
    await until(
      'word of what waits',
      async () => (await metric(cut!.port, 'covey_relay_catch_ups_total{reason="behind"}')) > 0,
    );
    const reader = await WireClient.open(`ws://127.0.0.1:${cut!.port}`);
    const { events, end } = await reader.read({ authors: [author.pubkey], kinds: [1] });
    const found = events.some(({ id }) => id === event.id);
    assert.ok(
      found || JSON.stringify(end[2]) === '["more"]',
      `neither the event nor "more": ${JSON.stringify(end)}`,
    );

    proxy.mend();
    await until(
      'an empty spool',
      async () => (await metric(first!.port, 'covey_relay_spooled')) === 0,
      30_000,
    );
    assert.ok(await hasEvent(cut!.port, event.id));
    writer.close();
    reader.close();
  } finally {
    await cluster.stop();
    await proxy.stop();
  }
});

async function hasEvent(port: number, id: string): Promise<boolean> {
  const client = await WireClient.open(`ws://127.0.0.1:${port}`);
  const { events } = await client.read({ ids: [id] });
  client.close();
  return events.length === 1;
}

test('a member of a cluster that has no table yet does not say that an answer is all there is', async () => {
  const cluster = await TestCluster.make(1);
  const [member] = cluster.members;
  try {
    const author = newSigner();
    await member!.start({}, { followsTable: true });
    const reader = await WireClient.open(member!.url);
    const filter = { authors: [author.pubkey] };
    assert.deepEqual((await reader.read(filter)).end[2], ['more']);
    cluster.place([{ members: [0], accounts: [author.pubkey] }]);
    assert.deepEqual((await reader.read(filter)).end[2], ['finish']);
    reader.close();
  } finally {
    await cluster.stop();
  }
});
