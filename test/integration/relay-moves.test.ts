import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { MovePhase } from '@covey/table';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, type TestMember, until } from './relay-fixture.ts';

const GROUP = 4096;

describe('a group that moves from members 0 and 1 to members 1 and 2', { timeout: 60_000 }, () => {
  const alice = newSigner();
  let cluster: TestCluster;
  const clients: WireClient[] = [];
  after(async () => {
    for (const client of clients) client.close();
    await cluster?.stop();
  });

  const open = async (member: TestMember) => {
    const client = await WireClient.open(member.url);
    clients.push(client);
    return client;
  };
  const phase = (name: MovePhase) =>
    cluster.place([{ members: [1, 2], accounts: [alice.pubkey], move: { phase: name, from: [0, 1] } }]);
  const read = async (client: WireClient) => {
    const { events, end } = await client.read({ authors: [alice.pubkey], kinds: [1], limit: 1000 });
    assert.deepEqual(end[2], ['finish'], 'nothing is missing');
    return events.length;
  };

  it('is read without a gap in every phase, and leaves nothing behind', async () => {
    cluster = await TestCluster.make(4);
    const [left, stays, comes, other] = cluster.members as [TestMember, TestMember, TestMember, TestMember];
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const [atLeft, atComes, atOther] = [await open(left), await open(comes), await open(other)];
    let written = 0; // the same content in the same second would be the same event
    const publish = (client: WireClient, count: number) =>
      Promise.all(
        Array.from({ length: count }, () => client.publish(alice.sign({ content: String(written++) }))),
      );
    await publish(atLeft, 200);
    await until('two copies', () => stays.relay!.load().events === 200);
    const filling = () => comes.relay!.filling().groups;
    await until('the slots filled', () => stays.relay!.filling().groups.length === 0);

    phase('write-both-read-old');
    assert.deepEqual(filling(), [GROUP]);
    await publish(atOther, 10);
    await until(
      'writes at all holders',
      () =>
        comes.relay!.load().events >= 10 && [left, stays].every(({ relay }) => relay!.load().events === 210),
    );
    for (const client of [atLeft, atComes, atOther]) assert.equal(await read(client), 210);
    assert.deepEqual(filling(), [GROUP], 'it counts for nothing before all writers write to both');

    phase('copy');
    await publish(atComes, 10);
    await until('its copy is full', () => filling().length === 0);
    await until('writes at all holders', () =>
      [left, stays, comes].every(({ relay }) => relay!.load().events === 220),
    );
    for (const client of [atLeft, atComes, atOther]) assert.equal(await read(client), 220);

    phase('write-both-read-new');
    await publish(atLeft, 10);
    await until('it is everywhere', () =>
      [left, stays, comes].every(({ relay }) => relay!.load().events === 230),
    );
    for (const client of [atLeft, atComes, atOther]) assert.equal(await read(client), 230);

    phase('clean-up');
    await publish(atLeft, 10);
    await until('the old member passes on', () =>
      [stays, comes].every(({ relay }) => relay!.load().events === 240),
    );
    for (const client of [atLeft, atComes, atOther]) assert.equal(await read(client), 240);
    cluster.place([{ members: [1, 2], accounts: [alice.pubkey] }]);
    for (const client of [atLeft, atComes, atOther]) assert.equal(await read(client), 240);
  });

  it('gets at its new member what an old member was brought by one that had no news of the move', async () => {
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    const [, , comes, other] = cluster.members as [TestMember, TestMember, TestMember, TestMember];
    const before = other.tables.current!.table;
    phase('write-both-read-old');
    other.tables.set(before);
    const event = alice.sign({ content: 'by an old table' });
    await (await open(other)).publish(event);
    const client = await open(comes);
    await until('the copy', () => comes.relay!.load().spooled === 0);
    await until('the event here', async () => (await client.read({ ids: [event.id] })).events.length === 1);
  });
});
