import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type NostrEvent, publicKeyOf } from '@covey/nostr';
import { PlacementTable, signCertificate, signManifest, verifyManifest } from '@covey/table';
import { ManifestEvents } from '../../services/coordinator/src/manifest-events.ts';
import { exchange } from '../../services/coordinator/src/relay-exchange.ts';
import { newSigner } from '../conformance/signer.ts';
import { TestCluster } from './relay-fixture.ts';

const root = newSigner();
const coordinator = newSigner();
const cluster = 'test';
const options = { profile: 'local' as const, answerMs: 5_000 };
let relays: TestCluster;

before(async () => {
  relays = await TestCluster.make(3, { slotMembers: [0, 1] });
  await relays.startAll();
});
after(() => relays?.stop());

async function find(url: string, filter: object): Promise<NostrEvent | undefined> {
  const found = await exchange<NostrEvent | 'none'>(
    url,
    ['REQ', 'x', { ...filter, limit: 1 }],
    options,
    ([type, , event]) => (type === 'EVENT' ? (event as NostrEvent) : type === 'EOSE' ? 'none' : undefined),
  );
  return found === 'none' ? undefined : found;
}

test('a client with one relay and the root key finds certificate, manifest and table', async () => {
  const certificate = signCertificate(
    {
      cluster,
      coordinator: coordinator.pubkey,
      root: root.pubkey,
      createdAt: 1_700_000_000,
      expiration: 4e9,
    },
    root.secretKey,
  );
  const heads = new ManifestEvents(options, { info() {} });
  let previous: string | null = null;
  // The second epoch's manifest takes the place of the first one's; the first member is away then.
  for (const round of [1, 2]) {
    relays.place([]);
    const { table } = relays.members[2]!.tables.current!;
    const manifest = signManifest(
      {
        cluster,
        epoch: table.epoch,
        previous,
        createdAt: 1_700_000_000 + table.epoch,
        root: table.root,
        tableBytes: table.bytes.length,
        inputs: '00'.repeat(32),
        movesUntil: 4e9,
        members: table.members.map(({ id, url }) => ({ id, url })),
        counts: { accounts: 0, follows: 0, communities: 0, groups: 0, moved: 0 },
      },
      coordinator.pubkey,
      coordinator.secretKey,
      certificate,
    );
    previous = manifest.id;
    for (const member of relays.members) member.tables.serve({ table, event: manifest });
    if (round === 2) await relays.members[0]!.stop();
    heads.publish([certificate, manifest], table.bytes);
    await heads.settled();
  }
  await heads.stop();

  // What a client does, at the member that holds none of it.
  const { url } = relays.members[2]!;
  const found = await find(url, { kinds: [38422], authors: [root.pubkey] });
  const key = found?.tags.find(([name]) => name === 'd')?.[1];
  assert.equal(key, coordinator.pubkey, 'the root names its coordinator');
  const manifest = await find(url, { kinds: [38421], authors: [key] });
  assert.ok(manifest, 'the coordinator’s manifest');
  const { epoch, members, root: merkle } = verifyManifest(manifest, [root.pubkey], cluster);
  assert.deepEqual([epoch, publicKeyOf(coordinator.secretKey)], [2, manifest.pubkey]);
  const answers = await Promise.allSettled(
    members.map((member) => fetch(`${member.url.replace('ws', 'http')}/v1/table`)),
  );
  const good = answers.flatMap((answer) =>
    answer.status === 'fulfilled' && answer.value.ok ? [answer.value] : [],
  );
  assert.equal(good.length, 2, 'the two members that run serve it');
  const table = new PlacementTable(new Uint8Array(await good[0]!.arrayBuffer()));
  assert.equal(table.root, merkle);
});
