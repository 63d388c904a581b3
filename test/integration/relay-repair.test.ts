import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import type { Limits } from '@covey/relay';
import { authenticate } from '../conformance/relay-checks.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, type TestMember, until } from './relay-fixture.ts';

const alice = newSigner();
const bob = newSigner();
const clusters: TestCluster[] = [];
const clients: WireClient[] = [];

async function make(count: number, limits?: Partial<Limits>): Promise<TestCluster> {
  const cluster = await TestCluster.make(count, limits ? { limits } : {});
  clusters.push(cluster);
  return cluster;
}

async function open(url: string): Promise<WireClient> {
  const client = await WireClient.open(url);
  clients.push(client);
  return client;
}

async function metric(member: TestMember, name: string): Promise<number> {
  const text = await member.relay!.metrics.registry.getSingleMetricAsString(name);
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && !line.startsWith('#'))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const filled = async (member: TestMember) => (await metric(member, 'covey_relay_filling_groups')) === 0;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
});

describe('two durable copies', { timeout: 60_000 }, () => {
  it('are there when a holder says OK', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const client = await open(cluster.members[0]!.url);
    const replica = await open(cluster.members[1]!.url);
    for (let i = 0; i < 20; i++) {
      const event = alice.sign({ content: String(i) });
      assert.deepEqual(await client.publish(event), [true, '']);
      assert.equal((await replica.read({ ids: [event.id] })).events.length, 1);
    }
  });

  it('one alone is said, and counted apart', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0, 1, 2], accounts: [alice.pubkey] }]);
    await cluster.members[0]!.start();
    const client = await open(cluster.members[0]!.url);
    for (let i = 0; i < 5; i++)
      assert.deepEqual(await client.publish(alice.sign({ content: String(i) })), [
        true,
        'durable on one copy',
      ]);
    const text = await cluster.members[0]!.relay!.metrics.registry.getSingleMetricAsString(
      'covey_relay_acknowledged_total',
    );
    assert.match(text, /copies="one"} 5/);
    const lag = await cluster.members[0]!.relay!.metrics.registry.getSingleMetricAsString(
      'covey_relay_replication_lag_seconds',
    );
    assert.match(lag, /group="4096"} [0-9.]+/);
  });

  it('a member that does not hold the account says whether a holder has it', async () => {
    const cluster = await make(2);
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.members[1]!.start();
    const client = await open(cluster.members[1]!.url);
    assert.match((await client.publish(alice.sign()))[1], /spooled here, no holder has confirmed it yet$/);
    await cluster.members[0]!.start();
    await until('delivery', () => cluster.members[1]!.relay!.load().spooled === 0);
    assert.match((await client.publish(alice.sign({ content: 'x' })))[1], /^forwarding to \S+$/);
  });
});

describe('a copy that lacks something', { timeout: 60_000 }, () => {
  it('fills an empty disk from who has it all, and says so meanwhile', async () => {
    const cluster = await make(3, { repairEventsPerSecondMax: 150 });
    cluster.place([
      { members: [0, 1], accounts: [alice.pubkey] },
      { members: [1, 2], accounts: [bob.pubkey] },
    ]);
    await cluster.startAll();
    const [lost, other, third] = cluster.members as [TestMember, TestMember, TestMember];
    const client = await open(lost.url);
    const events = Array.from({ length: 600 }, (_, i) =>
      alice.sign({ content: String(i), created_at: 1e9 + i }),
    );
    const deleted = events[0]!;
    await Promise.all(events.map((event) => client.publish(event)));
    await client.publish(alice.sign({ kind: 5, tags: [['e', deleted.id]] }));
    await client.publish(bob.sign());
    await until('copies', () => other.relay!.load().events === 601);
    await lost.stop();
    rmSync(lost.dir, { recursive: true });
    await lost.start();
    // At once, half filled, it answers with all there is: from the other holder.
    const reader = await open(lost.url);
    const during = await reader.read({ authors: [alice.pubkey], kinds: [1], limit: 1000 });
    assert.equal(during.events.length, 599);
    assert.deepEqual(during.end[2], ['finish']);
    // And so does a third member that asked it first.
    const elsewhere = await (await open(third.url)).read({ authors: [alice.pubkey], kinds: [1] });
    assert.equal(elsewhere.events.length, 599);
    assert.ok(!(await filled(lost)), 'it was filling all the while');
    await until('filled', () => filled(lost), 20_000);
    assert.equal(lost.relay!.load().events, 600, 'what it holds, and nothing else');
    assert.equal((await reader.publish(deleted))[0], false, 'the deletion came as well');
  });

  it('catches up on what it missed without any spool', async () => {
    const cluster = await make(2, { spoolPerMemberMax: 1 });
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const [here, away] = cluster.members as [TestMember, TestMember];
    const client = await open(here.url);
    const old = alice.sign({ content: 'deleted while it was away' });
    await client.publish(old);
    await until('the copy', () => away.relay!.load().events === 1);
    await away.stop();
    await client.publish(alice.sign({ kind: 5, tags: [['e', old.id]] }));
    for (let i = 0; i < 50; i++) await client.publish(alice.sign({ content: String(i) }));
    await away.start();
    await until('what it missed', () => away.relay!.load().events === 51, 20_000);
    assert.equal((await (await open(away.url)).read({ ids: [old.id] })).events.length, 0);
  });

  it('a late copy does not undo a deletion', async () => {
    const cluster = await make(2);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    const [deleter, late] = cluster.members as [TestMember, TestMember];
    await late.start();
    const event = alice.sign();
    await (await open(late.url)).publish(event);
    await late.stop();
    await deleter.start();
    await (await open(deleter.url)).publish(alice.sign({ kind: 5, tags: [['e', event.id]] }));
    await late.start();
    for (const member of [deleter, late]) {
      await until('the deletion alone', () => member.relay!.load().events === 1, 20_000);
      await until('an empty spool', () => member.relay!.load().spooled === 0);
      assert.equal((await (await open(member.url)).read({ ids: [event.id] })).events.length, 0);
    }
  });

  it('protected events stay where their author brought them', async () => {
    const cluster = await make(2);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    const [first, second] = cluster.members as [TestMember, TestMember];
    await first.start();
    const client = await open(first.url);
    await authenticate(client, first.url, alice);
    assert.equal((await client.publish(alice.sign({ tags: [['-']] })))[0], true);
    await client.publish(alice.sign());
    await second.start();
    await until('filled', () => filled(second));
    assert.equal(second.relay!.load().events, 1);
  });

  it('serves nobody who is not a member', async () => {
    const cluster = await make(2);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const client = await open(cluster.members[0]!.url);
    client.send('COVEY-NEG', 'x', { since: 0, until: 1 }, '6100000200');
    const answer = await client.wait('a refusal', (f) => f[0] === 'COVEY-NEG-ERR');
    assert.match(answer[2] as string, /^restricted:/);
  });
});

describe('what tags somebody', { timeout: 60_000 }, () => {
  it('is found from anywhere by who was tagged and by hashtag', async () => {
    const cluster = await TestCluster.make(5, { slotMembers: [4] });
    clusters.push(cluster);
    cluster.place([
      { members: [0, 1], accounts: [alice.pubkey] },
      { members: [2, 3], accounts: [bob.pubkey] },
    ]);
    await cluster.startAll();
    const inbox = await open(cluster.members[2]!.url);
    inbox.send('REQ', 'inbox', { kinds: [1, 7], '#p': [bob.pubkey] });
    await inbox.wait('EOSE', (f) => f[0] === 'EOSE');
    const mention = alice.sign({ tags: [['p', bob.pubkey]] });
    const tagged = alice.sign({ tags: [['t', 'Flock']] });
    for (const event of [mention, tagged]) await (await open(cluster.members[4]!.url)).publish(event);
    await inbox.wait(
      'the mention, live',
      (f) => f[0] === 'EVENT' && (f[2] as { id: string }).id === mention.id,
    );
    for (const { url } of cluster.members) {
      const client = await open(url);
      const found = await until('the mention', async () => {
        const answer = await client.read({ kinds: [1], '#p': [bob.pubkey] });
        return answer.events.length === 1 ? answer : undefined;
      });
      assert.deepEqual(found.end[2], ['finish']);
      const byTag = await until('the hashtag', async () => {
        const answer = await client.read({ kinds: [1], '#t': ['Flock'] });
        return answer.events.length === 1 ? answer : undefined;
      });
      assert.deepEqual(byTag.end[2], ['finish']);
    }
    // Its deletion follows it there.
    await (await open(cluster.members[3]!.url)).publish(alice.sign({ kind: 5, tags: [['e', mention.id]] }));
    for (const member of [2, 3])
      await until('deleted there', async () => {
        const own = await open(cluster.members[member]!.url);
        return (await own.read({ ids: [mention.id] })).events.length === 0;
      });
  });

  it('goes everywhere when its author vanishes, also from a member that was away', async () => {
    const carol = newSigner();
    const cluster = await make(4);
    cluster.place([
      { members: [0, 1], accounts: [carol.pubkey] },
      { members: [2, 3], accounts: [bob.pubkey] },
    ]);
    await cluster.startAll();
    const [holder, away, inbox, elsewhere] = cluster.members as [
      TestMember,
      TestMember,
      TestMember,
      TestMember,
    ];
    const now = Math.floor(Date.now() / 1000);
    await (await open(holder.url)).publish(carol.sign({ created_at: now - 10, tags: [['p', bob.pubkey]] }));
    for (const member of cluster.members) await until('a copy', () => member.relay!.load().events === 1);
    await away.stop();
    const request = carol.sign({ kind: 62, tags: [['relay', 'ALL_RELAYS']] });
    assert.equal((await (await open(elsewhere.url)).publish(request))[0], true);
    await away.start();
    const left = async (member: TestMember) =>
      (
        await (
          await open(member.url)
        ).read({ authors: [carol.pubkey], kinds: [1] }, { kinds: [1], '#p': [bob.pubkey] })
      ).events.length;
    for (const member of [holder, inbox, elsewhere, away])
      await until(
        'nothing left',
        async () => (await left(member)) === 0 && member.relay!.load().spooled === 0,
      );
    for (const member of [holder, inbox, away])
      assert.ok(member.relay!.load().events <= 1, 'the request alone');
  });

  it('says how many are passed over', async () => {
    const cluster = await make(2);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const tags = Array.from({ length: 25 }, () => ['p', newSigner().pubkey]);
    const [accepted, message] = await (await open(cluster.members[0]!.url)).publish(alice.sign({ tags }));
    assert.equal(accepted, true);
    assert.match(message, /it tags too many: 5 accounts or hashtags/);
  });
});
