import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { startPlainRelay } from './plain-relay-fixture.ts';
import { TestCluster, until } from './relay-fixture.ts';
import { startStrfry } from './strfry-process.ts';

const STRFRY = process.env['STRFRY'];

const kinds = [
  { name: 'a relay that knows nothing of Covey', start: () => startPlainRelay(), skip: false },
  { name: 'one that passes over what it does not know', start: () => startPlainRelay(false), skip: false },
  {
    name: 'strfry',
    start: () => startStrfry(STRFRY!),
    skip: STRFRY ? false : 'STRFRY names no strfry binary to stand in a cluster',
  },
];

for (const { name, start, skip } of kinds)
  describe(`${name}, as a member`, { timeout: 60_000, skip }, () => {
    const [alice, bob, outsider, plainId] = [newSigner(), newSigner(), newSigner(), newSigner()];
    let cluster: TestCluster;
    let plain: Awaited<ReturnType<typeof start>>;
    const clients: WireClient[] = [];
    const open = async (url: string) => {
      const client = await WireClient.open(url);
      clients.push(client);
      return client;
    };
    const url = (member: number) => cluster.members[member]!.url;
    const idsAt = async (at: string, filter: object) =>
      (await (await open(at)).read(filter)).events.map(({ id }) => id);
    const place = (epoch: number, alices: number[]) => {
      const members = cluster.members.map(({ key, url }) => ({ id: key.pubkey, url }));
      const table = fixtureTable({
        members: [...members, { id: plainId.pubkey, url: plain.url }],
        groups: [
          { members: alices, accounts: [alice.pubkey] },
          { members: [2], accounts: [bob.pubkey] },
        ],
        slotMembers: [1],
        epoch,
      });
      for (const member of cluster.members) member.tables.set(table);
    };

    /** What the plain relay had before it held anything: alice's, and what belongs to nobody here. */
    const old = [alice.sign({ content: 'old' }), outsider.sign({ content: 'of an outsider' })];
    /** What the other holder had by then. */
    const earlier = alice.sign({ content: 'earlier' });

    before(async () => {
      plain = await start();
      const client = await open(plain.url);
      for (const event of old) assert.equal((await client.publish(event))[0], true);
      cluster = await TestCluster.make(2, { limits: { repairEveryMs: 100, remoteReadMs: 3000 } });
      place(1, [0]);
      await cluster.startAll();
      assert.equal((await (await open(url(0))).publish(earlier))[0], true);
      place(2, [0, 2]);
    });
    after(async () => {
      for (const client of clients) client.close();
      await cluster.stop();
      await plain.stop();
    });

    it('takes copies of what is written to another holder, which is acknowledged by both', async () => {
      const event = alice.sign({ content: 'new' });
      const answer = await until('both copies', async () => {
        const again = await (await open(url(0))).publish(event);
        return again[1].startsWith('durable on one copy') ? undefined : again;
      });
      assert.equal(answer[0], true);
      await until('the copy', async () => (await idsAt(plain.url, { ids: [event.id] })).length === 1);
    });

    it('takes what is written to a member that does not hold the account, and is read through it', async () => {
      const event = bob.sign({ content: 'bob' });
      const [accepted, text] = await (await open(url(1))).publish(event);
      assert.equal(accepted, true);
      assert.match(text, new RegExp(`^forwarding to ${plain.url}`));
      await until('the event', async () => (await idsAt(plain.url, { ids: [event.id] })).length === 1);
      const reader = await open(url(0));
      reader.send('REQ', 'bob', { authors: [bob.pubkey] });
      await reader.wait('the stored event', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).id === event.id);
      const late = bob.sign({ content: 'late' });
      await (await open(plain.url)).publish(late);
      await reader.wait('the new event', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).id === late.id);
    });

    it('gets what it lacks from the other holder, and gives what that one lacks', async () => {
      await until('the earlier event', async () =>
        (await idsAt(plain.url, { ids: [earlier.id] })).includes(earlier.id),
      );
      const repaired = /covey_relay_repaired_total [1-9]/;
      const { registry } = cluster.members[0]!.relay!.metrics;
      await until('a repair', async () => repaired.test(await registry.metrics()));
      const frames = ('received' in plain ? plain.received : []) as unknown[][];
      for (const said of frames) {
        assert.match(String(said[0]), /^(COVEY-MEMBER|EVENT|REQ|CLOSE|NEG-OPEN|NEG-MSG|NEG-CLOSE)$/);
        if (said[0] === 'EVENT') assert.equal(said.length, 2, 'nothing of Covey’s own');
      }
      const verdicts = cluster.members[0]!.relay!.verdicts();
      assert.deepEqual(
        [...(verdicts?.dead ?? []), ...(verdicts?.suspect ?? [])],
        [],
        'its pongs keep it alive',
      );
      await plain.stop();
      const here = await idsAt(url(0), { authors: [alice.pubkey, outsider.pubkey] });
      assert.ok(here.includes(old[0]!.id));
      assert.ok(!here.includes(old[1]!.id), 'what belongs to nobody here stays where it was');
    });
  });
