import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseRedirect } from '@covey/protocol';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, until } from './relay-fixture.ts';

describe('members of a cluster', { timeout: 60_000 }, () => {
  const alice = newSigner();
  const bob = newSigner();
  const carol = newSigner();
  let cluster: TestCluster;
  const clients: WireClient[] = [];
  const open = async (member: number) => {
    const client = await WireClient.open(cluster.members[member]!.url);
    clients.push(client);
    return client;
  };
  const place = () =>
    cluster.place([
      { members: [0, 1, 2], accounts: [alice.pubkey] },
      { members: [3, 4], accounts: [bob.pubkey] },
      { members: [0, 1], accounts: [carol.pubkey] },
    ]);

  before(async () => {
    cluster = await TestCluster.make(5);
    place();
    await cluster.startAll();
    await cluster.well();
  });
  after(async () => {
    for (const client of clients) client.close();
    await cluster.stop();
  });

  it('forward what is written to the wrong one, to every holder', async () => {
    const event = alice.sign();
    const [accepted, message] = await (await open(4)).publish(event);
    assert.equal(accepted, true);
    assert.match(message, /^forwarding to ws:/);
    assert.ok(message.includes(cluster.members[0]!.url));
    for (const holder of [0, 1, 2]) {
      const client = await open(holder);
      await until(
        `copy at ${holder}`,
        async () => (await client.read({ ids: [event.id] })).events.length === 1,
      );
    }
    assert.equal((await (await open(3)).read({ ids: [event.id] })).events.length, 0);
    await until('the spool is empty', () => cluster.members[4]!.relay!.load().spooled === 0);
  });

  it('say what the holder said, when it refused what they forwarded', async () => {
    const [holder, other] = [await open(0), await open(3)];
    const note = carol.sign();
    await other.publish(note);
    await holder.publish(carol.sign({ kind: 5, tags: [['e', note.id]] }));
    const again = await open(4);
    assert.deepEqual(await again.publish(note), [false, 'blocked: its author has deleted this event']);
    const now = Math.floor(Date.now() / 1000);
    await holder.publish(carol.sign({ kind: 0, content: '{}' }));
    const old = carol.sign({ kind: 0, content: '{"name":"old"}', created_at: now - 60 });
    for (const client of [holder, again])
      assert.deepEqual(await client.publish(old), [false, 'duplicate: a newer version is stored here']);
    assert.deepEqual((await again.read({ authors: [carol.pubkey], kinds: [1] })).events, []);
  });

  it('copy what is written to the right one', async () => {
    const event = bob.sign();
    assert.deepEqual(await (await open(4)).publish(event), [true, '']);
    const master = await open(3);
    await until(
      'copy at the master',
      async () => (await master.read({ ids: [event.id] })).events.length === 1,
    );
  });

  it('answer a read of accounts that live elsewhere from their holders, merged and ordered', async () => {
    const now = Math.floor(Date.now() / 1000);
    const mine = alice.sign({ created_at: now - 1010, content: 'a' });
    const his = bob.sign({ created_at: now - 1020, content: 'b' });
    const latest = bob.sign({ created_at: now - 1005, content: 'c' });
    await (await open(0)).publish(mine);
    for (const event of [his, latest]) await (await open(3)).publish(event);
    const { events, end } = await (await open(3)).read({
      authors: [alice.pubkey, bob.pubkey],
      since: now - 1030,
      until: now - 1002,
    });
    assert.deepEqual(
      events.map((e) => e.content),
      ['c', 'a', 'b'],
    );
    assert.deepEqual(end[2], ['finish']);
  });

  it('answer with the newest up to the limit, newest first, whoever holds them and however they were written', async () => {
    const now = Math.floor(Date.now() / 1000);
    const at = (signer: typeof alice, age: number, tag: string) =>
      signer.sign({ created_at: now - age, tags: [['t', tag]], content: `${age}` });
    const reader = await open(3); // holds bob alone
    // Not in the order of age; some through the reader's member, which passes them on, some at their holder.
    const mine = [2400, 3000, 2700, 3300].map((age, i) => at(alice, age, i % 2 ? 'right' : 'left'));
    for (const event of mine.slice(0, 2)) await reader.publish(event);
    const holder = await open(1);
    for (const event of mine.slice(2)) await holder.publish(event);
    const his = [2500, 2900].map((age) => at(bob, age, 'left'));
    for (const event of his) await reader.publish(event);
    const ages = async (authors: string[], limit: number) => {
      const filter = { authors, '#t': ['left', 'right'], kinds: [1, 7], limit };
      return (await reader.read(filter)).events.map((event) => event.content);
    };
    assert.deepEqual(await ages([alice.pubkey], 2), ['2400', '2700']);
    assert.deepEqual(await ages([alice.pubkey], 3), ['2400', '2700', '3000']);
    assert.deepEqual(await ages([alice.pubkey, bob.pubkey], 4), ['2400', '2500', '2700', '2900']);
    assert.deepEqual(await ages([alice.pubkey, bob.pubkey], 1), ['2400']);
  });

  it('deliver new events of accounts that live elsewhere, over one shared subscription', async () => {
    const readers = await Promise.all([open(3), open(3)]);
    for (const reader of readers) {
      reader.send('REQ', 'live', { authors: [alice.pubkey], kinds: [7], limit: 0 });
      await reader.wait('EOSE', (f) => f[0] === 'EOSE' && f[1] === 'live');
    }
    const upstreams =
      await cluster.members[3]!.relay!.metrics.registry.getSingleMetricAsString('covey_relay_upstreams');
    assert.match(upstreams, /covey_relay_upstreams 1\b/);
    const event = alice.sign({ kind: 7, content: '+' });
    await (await open(0)).publish(event);
    for (const reader of readers) {
      await reader.wait('the event', (f) => f[0] === 'EVENT' && (f[2] as { id: string }).id === event.id);
      reader.send('CLOSE', 'live');
    }
  });

  it('redirect a client that announced itself, master first', async () => {
    const client = await open(3);
    client.send('COVEY', { version: 1 });
    const answer = await client.wait('the cluster field', (f) => f[0] === 'COVEY');
    assert.equal((answer[1] as { cluster: string }).cluster, 'test');
    const [accepted, message] = await client.publish(alice.sign());
    assert.equal(accepted, false);
    assert.deepEqual(
      parseRedirect(message),
      [0, 1, 2].map((i) => cluster.members[i]!.url),
    );
  });

  it('forward ephemeral events to those who listen at a holder', async () => {
    const reader = await open(1);
    reader.send('REQ', 'e', { authors: [alice.pubkey], kinds: [20001] });
    await reader.wait('EOSE', (f) => f[0] === 'EOSE');
    const event = alice.sign({ kind: 20001 });
    assert.equal((await (await open(4)).publish(event))[0], true);
    await reader.wait('the event', (f) => f[0] === 'EVENT' && (f[2] as { id: string }).id === event.id);
    assert.equal((await reader.read({ ids: [event.id] })).events.length, 0);
  });

  it('send a gift wrap to the members of whom it is for', async () => {
    const wrap = newSigner().sign({ kind: 1059, tags: [['p', bob.pubkey]] });
    assert.match((await (await open(0)).publish(wrap))[1], /^forwarding/);
    const holder = await open(3);
    await until(
      'the wrap',
      async () => (await holder.read({ kinds: [1059], '#p': [bob.pubkey] })).events.length === 1,
    );
    const { events } = await (await open(1)).read({ kinds: [1059], '#p': [bob.pubkey] });
    assert.equal(events[0]?.id, wrap.id);
  });

  it('hand over an account that a new table gives to others, deletions included', async () => {
    const carol = newSigner();
    const groups = (members: number[]) => [{ members, accounts: [carol.pubkey] }];
    cluster.place(groups([0, 1]));
    const client = await open(0);
    const [kept, gone, article] = [
      carol.sign({ content: 'kept' }),
      carol.sign({ content: 'gone' }),
      carol.sign({ kind: 30023, tags: [['d', 'x']] }),
    ];
    const wrap = newSigner().sign({ kind: 1059, tags: [['p', carol.pubkey]] });
    for (const event of [kept, gone, article, wrap, carol.sign({ kind: 5, tags: [['e', gone.id]] })])
      assert.equal((await client.publish(event))[0], true);
    cluster.place(groups([3, 4]));
    const holder = await open(4);
    await until('her events at the new holder', async () => {
      const { events } = await holder.read(
        { authors: [carol.pubkey] },
        { kinds: [1059], '#p': [carol.pubkey] },
      );
      return events.length === 4;
    });
    assert.equal((await holder.publish(gone))[0], false);
    const { events } = await (await open(2)).read({ authors: [carol.pubkey], kinds: [1] });
    assert.deepEqual(events, [kept]);
    // And back again, with what was written there.
    const later = carol.sign({ content: 'written there' });
    await holder.publish(later);
    cluster.place(groups([0, 1]));
    await until('it comes back', async () => (await client.read({ ids: [later.id] })).events.length === 1);
    for (const member of cluster.members)
      await until('an empty spool', () => member.relay!.load().spooled === 0);
  });

  it('keep a feed going when its account moves', async () => {
    const dora = newSigner();
    cluster.place([{ members: [0], accounts: [dora.pubkey] }]);
    const reader = await open(2);
    reader.send('REQ', 'dora', { authors: [dora.pubkey] });
    await reader.wait('EOSE', (f) => f[0] === 'EOSE');
    cluster.place([{ members: [1], accounts: [dora.pubkey] }]);
    const event = dora.sign();
    await (await open(1)).publish(event);
    await reader.wait('her note', (f) => f[0] === 'EVENT' && (f[2] as { id: string }).id === event.id);
  });

  it('take from a member what they would take from a client, with the words around it', async () => {
    const eve = newSigner();
    cluster.place([{ members: [0], accounts: [eve.pubkey] }]);
    const bare = JSON.stringify(['EVENT', eve.sign({ content: '' })]).length;
    const event = eve.sign({ content: 'x'.repeat(512 * 1024 - bare) });
    assert.equal(JSON.stringify(['EVENT', event]).length, 512 * 1024);
    assert.match((await (await open(1)).publish(event))[1], /^forwarding/);
    const holder = await open(0);
    await until('the large event', async () => (await holder.read({ ids: [event.id] })).events.length === 1);
  });
});
