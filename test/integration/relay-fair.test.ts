import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, until } from './relay-fixture.ts';

describe('many clients of one member', { timeout: 60_000 }, () => {
  const clusters: TestCluster[] = [];
  const clients: WireClient[] = [];
  const make = async (limits: object = {}) => {
    const cluster = await TestCluster.make(1, { limits });
    clusters.push(cluster);
    await cluster.startAll();
    return cluster.members[0]!;
  };
  const open = async (url: string) => {
    const client = await WireClient.open(url);
    clients.push(client);
    return client;
  };
  after(async () => {
    for (const client of clients) client.close();
    for (const cluster of clusters) await cluster.stop();
  });

  it('one that floods with questions does not hold up the others', async () => {
    const member = await make({ subscriptionsMax: 10_000 });
    const alice = newSigner();
    const quiet = await open(member.url);
    const old = Math.floor(Date.now() / 1000) - 1000;
    await Promise.all(
      Array.from({ length: 400 }, (_, n) =>
        quiet.publish(alice.sign({ content: `${n}`, created_at: old + n })),
      ),
    );
    const flood = await open(member.url);
    // Each passes over every event and finds nothing.
    const QUESTIONS = 1500;
    for (let n = 0; n < QUESTIONS; n++)
      flood.send('REQ', `q${n}`, {
        authors: [alice.pubkey],
        '#t': ['no'],
        until: old + 999,
      });
    const answered = () => flood.frames.filter((f) => f[0] === 'EOSE').length;
    await until('the flood begins', () => answered() > 10);
    const waits: number[] = [];
    let during = 0;
    while (answered() < QUESTIONS && waits.length < 200) {
      const start = performance.now();
      await quiet.publish(alice.sign({ content: `in between ${waits.length}` }));
      waits.push(performance.now() - start);
      during++;
    }
    assert.ok(during >= 3, `only ${during} writes got through beside the flood`);
    waits.sort((a, b) => a - b);
    // Without turns, each waits for what is left of the flood: seconds.
    assert.ok(waits[waits.length >> 1]! < 150, `writes beside a flood took ${waits[waits.length >> 1]} ms`);
    await until('every question is answered', () => answered() === QUESTIONS, 30_000);
  });

  it('readers that take nothing are cut when all together have too much waiting, the slowest first', async () => {
    const member = await make({ outboundTotalBytesMax: 4 * 1024 * 1024 });
    const alice = newSigner();
    const writer = await open(member.url);
    const [deaf, awake] = [await open(member.url), await open(member.url)];
    for (const client of [deaf, awake]) {
      client.send('REQ', 'all', { authors: [alice.pubkey], limit: 0 });
      await client.wait('EOSE', (f) => f[0] === 'EOSE');
    }
    deaf.socket.pause();
    const content = 'x'.repeat(400_000);
    let written = 0;
    await until(
      'the deaf one is cut',
      async () => {
        await writer.publish(alice.sign({ content, tags: [['n', String(written++)]] }));
        return member.relay!.load().connections === 2;
      },
      30_000,
    );
    await until(
      'all events at the other',
      () => awake.frames.filter((f) => f[0] === 'EVENT').length === written,
    );
    assert.equal(awake.closeCode, undefined);
    const metrics = await (await fetch(member.url.replace('ws', 'http').concat('/metrics'))).text();
    assert.match(metrics, /covey_relay_connections_cut_total\{reason="slow reader"\} 1/);
  });
});
