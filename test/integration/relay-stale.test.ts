import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { PlacementTable } from '@covey/table';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, type TestMember, until } from './relay-fixture.ts';

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
const read = async (member: TestMember) => {
  const { events, end } = await (await open(member)).read({
    authors: [alice.pubkey],
    kinds: [1],
    limit: 500,
  });
  return [events.length, end[2]];
};
/** The group of alice on its way from `from` to `members`, up to the step named. */
const way = (from: number[], members: number[], last: 'rests' | 'is read') => {
  const group = { members, accounts: [alice.pubkey] };
  const phases = ['write-both-read-old', 'copy', 'write-both-read-new', 'clean-up'] as const;
  const moving = phases
    .slice(0, last === 'rests' ? 4 : 3)
    .map((phase) => ({ ...group, move: { phase, from } }));
  return (last === 'rests' ? [...moving, group] : moving).map((step) => cluster.table([step]));
};

/**
 * Member 0 keeps the first table while the group goes away from it and comes back: by its own table it holds all, by that of
 * the others it is the first to be asked. They can't know what it missed; it can't know that it missed anything.
 */
test('a member with an old table, in the list that is read, does not claim to have what it missed', {
  timeout: 60_000,
}, async () => {
  cluster = await TestCluster.make(5, { slotMembers: [3] });
  const [stale, , , other, reader] = cluster.members as [
    TestMember,
    TestMember,
    TestMember,
    TestMember,
    TestMember,
  ];
  cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
  await cluster.startAll();
  await cluster.well();
  const give = (table: PlacementTable, members = cluster.members.slice(1)) => {
    for (const { tables } of members) tables.set(table);
  };
  const writer = await open(other);
  const publish = async (count: number, from: number) => {
    for (let i = 0; i < count; i++)
      assert.equal((await writer.publish(alice.sign({ content: String(from + i) })))[0], true);
  };
  await publish(3, 0);
  await until('three events at both', () => stale.relay!.load().events === 3);
  for (const table of way([0, 1], [1, 2], 'rests')) give(table);
  await publish(5, 3);
  await until('nothing waits', () => cluster.members.every(({ relay }) => relay!.load().spooled === 0));
  const back = way([1, 2], [0, 1], 'is read');
  for (const table of back) give(table);
  assert.equal(stale.relay!.load().events, 3, 'it missed what was written meanwhile');
  assert.deepEqual(await read(reader), [8, ['finish']], 'another holder is asked as well');
  assert.equal(stale.relay!.load().events, 3, 'and it misses it still');

  // With the table it knows that it was away, though so few epochs passed.
  give(back.at(-1)!, [stale]);
  assert.deepEqual(await read(stale), [8, ['finish']]);
  await until('what it missed is here', () => stale.relay!.load().events === 8);
});
