import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { FakeRelay } from './ingest-fake-relay.ts';
import { TestCluster, until } from './relay-fixture.ts';

const now = Math.floor(Date.now() / 1000);
const mirror = { accountsMax: 100, bytesMax: 1e9, eventsPerSecond: 10_000, pollMs: 150, liveRelaysMax: 0 };

describe('mirroring of external accounts', { timeout: 60_000 }, () => {
  const alice = newSigner();
  const bob = newSigner();
  const carol = newSigner();
  const stranger = newSigner();
  const listOf = (who: typeof alice, ...urls: string[]) =>
    who.sign({
      kind: 10002,
      tags: urls.map((url) => ['r', url, 'write']),
      content: '',
      created_at: now - 9999,
    });
  let cluster: TestCluster;
  let home: FakeRelay;
  const notes: NostrEvent[] = [];
  const clients: WireClient[] = [];
  const open = async (member: number) => {
    const client = await WireClient.open(cluster.members[member]!.url);
    clients.push(client);
    return client;
  };
  const stored = async (member: number, filter: object) => {
    const client = await open(member);
    const { events } = await client.read({ limit: 1000, ...filter });
    client.close();
    return events;
  };

  before(async () => {
    for (let n = 0; n < 230; n++)
      notes.push(alice.sign({ created_at: now - 5000 + Math.floor(n / 3), content: `${n}` }));
    const forged = { ...alice.sign({ content: 'forged', created_at: now - 4000 }), content: 'changed' };
    const others = [
      alice.sign({ tags: [['-']], content: 'protected', created_at: now - 4001 }),
      alice.sign({ kind: 20001, content: 'ephemeral', created_at: now - 4002 }),
      bob.sign({ content: 'bob writes at a member', created_at: now - 10 }),
      stranger.sign({ content: 'nobody follows', created_at: now - 10 }),
    ];
    home = await FakeRelay.start([...notes, forged, ...others], { cap: 60 });
    cluster = await TestCluster.make(3);
    cluster.place([
      { members: [1, 2], accounts: [alice.pubkey, bob.pubkey] },
      { members: [2, 1], accounts: [carol.pubkey] },
    ]);
    for (const member of cluster.members) await member.start();
    const client = await open(1);
    await client.publish(listOf(alice, home.url, 'ws://127.0.0.1:9'));
    await client.publish(listOf(bob, home.url, cluster.members[0]!.url));
    await client.publish(listOf(carol, home.url));
    await (await open(0)).publish(listOf(stranger, home.url));
  });
  after(async () => {
    for (const client of clients) client.close();
    await cluster.stop();
    await home.stop();
  });

  it('does nothing until its operator turns it on', async () => {
    assert.equal(home.requests.length, 0);
    assert.deepEqual(cluster.members[1]!.relay!.mirrored(), []);
  });

  it('brings all of an account to its master and its replica, verified, and nothing of others', async () => {
    const [, master, replica] = cluster.members;
    for (const member of cluster.members) await member.stop();
    home.requests.length = 0;
    await cluster.members[0]!.start({ mirror });
    await master!.start({ mirror });
    await replica!.start();
    await until('everything at the master', () => master!.relay!.mirrored().some(({ since }) => since === 0));
    const got = await stored(1, { authors: [alice.pubkey], kinds: [1] });
    assert.deepEqual(got.map((e) => e.id).sort(), notes.map((e) => e.id).sort());
    await until(
      'the copies at the replica',
      async () => (await stored(2, { authors: [alice.pubkey], kinds: [1] })).length === 230,
    );
    assert.deepEqual(master!.relay!.mirrored(), [{ pubkey: alice.pubkey, since: 0 }]);
    assert.deepEqual(cluster.members[0]!.relay!.mirrored(), []);
    const asked = new Set(
      home.requests.flatMap(({ filter }) => (filter as unknown as { authors: string[] }).authors),
    );
    assert.deepEqual(
      [...asked],
      [alice.pubkey],
      'bob chose a member, carol has another master, strangers are nobody',
    );
  });

  it('brings what is written later', async () => {
    const late = alice.sign({ content: 'late' });
    home.events.push(late);
    await until('the late note', async () => (await stored(1, { ids: [late.id] })).length === 1);
  });

  it('goes on where it was after a restart', async () => {
    const master = cluster.members[1]!;
    await master.stop();
    home.requests.length = 0;
    await master.start({ mirror });
    await until('a visit', () => home.requests.length >= 2);
    assert.deepEqual(master.relay!.mirrored(), [{ pubkey: alice.pubkey, since: 0 }]);
    assert.ok(
      home.requests.every(({ filter }) => (filter.since ?? 0) > now - 1500),
      'only new events are asked for',
    );
  });

  it('stays away from private addresses under the public profile, and from the dead', async () => {
    const master = cluster.members[1]!;
    await master.stop();
    home.requests.length = 0;
    let seen = 0;
    home.behaviour.instead = () => {
      seen++;
      return false;
    };
    await master.start({ mirror: { ...mirror, pollMs: 50 }, profile: 'public' });
    await until('some rounds', () => new Promise((resolve) => setTimeout(() => resolve(true), 300)));
    assert.equal(seen, 0);
    assert.deepEqual(master.relay!.mirrored(), []);
  });

  it('takes no more bytes than it may', async () => {
    const master = cluster.members[1]!;
    await master.stop();
    home.events.push(alice.sign({ content: 'over the bound' }));
    home.requests.length = 0;
    await master.start({ mirror: { ...mirror, bytesMax: 1 } });
    await until('visits', () => home.requests.length >= 2);
    assert.equal(
      (await stored(1, { authors: [alice.pubkey], since: now - 60 })).some(
        (e) => e.content === 'over the bound',
      ),
      false,
    );
  });
});

describe('mirroring beyond the lists that are stored here', { timeout: 60_000 }, () => {
  const alice = newSigner();
  let cluster: TestCluster;
  let home: TestCluster;
  let api: Server;
  let hints: object[] = [];
  const asked: string[] = [];
  const place = (members: number[]) => cluster.place([{ members, accounts: [alice.pubkey] }]);
  const relayOf = (member: number) => cluster.members[member]!.relay!;

  before(async () => {
    home = await TestCluster.make(1);
    await home.startAll();
    api = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify({ epoch: 1, accounts: hints }));
    });
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
    cluster = await TestCluster.make(2);
    place([0, 1]);
    hints = [{ pubkey: alice.pubkey, write: [home.members[0]!.url] }];
    const apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    const live = { ...mirror, pollMs: 3_600_000, liveRelaysMax: 4 };
    const writer = await WireClient.open(home.members[0]!.url);
    await writer.publish(alice.sign({ content: 'early' }));
    writer.close();
    await cluster.startAll({ mirror: live, apiUrl });
  });
  after(async () => {
    await cluster.stop();
    await home.stop();
    await new Promise((resolve) => api.close(resolve));
  });

  it('takes the accounts that the api names, and new events at once', async () => {
    await until('the account is mirrored', () => relayOf(0).mirrored().length === 1);
    assert.equal(asked[0], `/v1/members/${cluster.members[0]!.key.pubkey}/external?limit=100`);
    assert.deepEqual(relayOf(1).mirrored(), [], 'its master alone mirrors');
    const writer = await WireClient.open(home.members[0]!.url);
    const reader = await WireClient.open(cluster.members[1]!.url);
    const late = alice.sign({ content: 'late' });
    reader.send('REQ', 'alice', { authors: [alice.pubkey] });
    await reader.wait('what was there', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).content === 'early');
    await until('a kept connection', async () => {
      await writer.publish(alice.sign({ content: `${Math.random()}` }));
      return reader.frames.some((f) => f[0] === 'EVENT' && (f[2] as NostrEvent).content.startsWith('0.'));
    });
    await writer.publish(late);
    await reader.wait('the new event', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).id === late.id);
    writer.close();
    reader.close();
  });

  it('gives back the room of an account that has another master', async () => {
    place([1, 0]);
    await until('the other one mirrors', () => relayOf(1).mirrored().length === 1);
    assert.deepEqual(relayOf(0).mirrored(), []);
  });
});
