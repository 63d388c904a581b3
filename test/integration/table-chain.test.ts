import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  connectNats,
  NatsLink,
  type Refusal,
  TableFollower,
  type TableFollowerOptions,
  TablePublisher,
} from '@covey/nats';
import type { NostrEvent } from '@covey/nostr';
import {
  type PlacementTable,
  signCertificate,
  signCosignature,
  signManifest,
  signRevocation,
} from '@covey/table';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner } from '../conformance/signer.ts';
import { startNats, type TestNats } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';
import { TestCluster } from './relay-fixture.ts';

const CLUSTER = 'chain';
const root = newSigner();
const [one, two, thief] = [newSigner(), newSigner(), newSigner()];
const member = newSigner();
const shown = process.env['COVEY_LOG'] ? console.error : () => {};
const log = { info: shown, warn: shown };
const certify = (coordinator: string) =>
  signCertificate(
    { cluster: CLUSTER, coordinator, root: root.pubkey, createdAt: 1, expiration: 4e9 },
    root.secretKey,
  );

interface Epoch {
  epoch: number;
  table: PlacementTable;
  manifest: NostrEvent;
}

function makeEpoch(epoch: number, previous: string | null, by = one): Epoch {
  const table = fixtureTable({
    cluster: CLUSTER,
    members: [{ id: member.pubkey, url: 'ws://127.0.0.1:9' }],
    groups: [],
    slotMembers: [0],
    epoch,
  });
  const manifest = signManifest(
    {
      cluster: CLUSTER,
      epoch,
      previous,
      createdAt: 1000 + (epoch % 1000),
      root: table.root,
      tableBytes: table.bytes.length,
      inputs: 'ab'.repeat(32),
      movesUntil: 2000,
      members: table.members.map(({ id, url }) => ({ id, url })),
      counts: { accounts: 0, follows: 0, communities: 0, groups: 0, moved: 0 },
    },
    by.pubkey,
    by.secretKey,
    certify(by.pubkey),
  );
  return { epoch, table, manifest };
}

describe('the chain of manifests at a follower, with real servers', () => {
  let nats: TestNats;
  let connection: NatsConnection;
  let publisher: TablePublisher;
  let dir: string;
  const stops: (() => unknown)[] = [];

  before(async () => {
    nats = await startNats({ cluster: CLUSTER, members: [member.pubkey] });
    connection = await connectNats({
      url: nats.url,
      user: 'coordinator',
      nkeyFile: nats.nkeyFile('coordinator'),
    });
    publisher = new TablePublisher(connection, CLUSTER);
    await publisher.prepare();
    dir = mkdtempSync(join(tmpdir(), 'covey-chain-'));
  });

  after(async () => {
    for (const stop of stops.reverse()) await stop();
    await connection?.close();
    await nats?.stop();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  function follow(name: string, changes: Partial<TableFollowerOptions> = {}, withNats = true) {
    const link = withNats
      ? new NatsLink({ url: nats.url, user: member.pubkey, nkeyFile: nats.nkeyFile(member.pubkey) })
      : undefined;
    const refusals: Refusal[] = [];
    const follower = new TableFollower({
      cluster: CLUSTER,
      roots: [root.pubkey],
      dir: join(dir, name),
      link,
      pollMs: 200,
      log,
      onRefused: (refusal) => refusals.push(refusal),
      ...changes,
    });
    follower.start();
    const stop = async () => {
      await follower.stop();
      await link?.close();
    };
    stops.push(stop);
    return { follower, refusals, stop, epoch: () => follower.current?.manifest.epoch };
  }

  const publish = ({ epoch, table, manifest }: Epoch, cosignatures: NostrEvent[] = []) =>
    publisher.publish({ epoch, root: table.root, manifest, snapshot: table.bytes, cosignatures });

  const first = makeEpoch(1, null);
  const second = makeEpoch(2, first.manifest.id);

  test('the next epoch must name the one that is applied; after a fork the one beyond it is taken', async () => {
    await publish(first);
    const { epoch, refusals } = follow('fork');
    await waitFor(() => epoch() === 1, 'the first epoch');
    await publish(makeEpoch(2, 'ff'.repeat(32)));
    await waitFor(() => refusals.length > 0, 'a refusal');
    assert.match(refusals[0]!.error.message, /forked/);
    assert.equal(epoch(), 1);
    await publish(second);
    await waitFor(() => epoch() === 2, 'the epoch that follows');
  });

  test('a member may ask for two coordinators: it waits for the second signature', async () => {
    const third = makeEpoch(3, second.manifest.id);
    const { follower, epoch, refusals } = follow('two', { signaturesMin: 2 });
    await publish(third);
    await waitFor(() => refusals.some(({ error }) => /1 of the 2/.test(error.message)), 'that it waits');
    const sign = (by: typeof two) =>
      signCosignature(
        {
          cluster: CLUSTER,
          epoch: 3,
          root: third.table.root,
          inputs: 'ab'.repeat(32),
          createdAt: 1010,
        },
        by.pubkey,
        by.secretKey,
        by === thief
          ? signCertificate(
              {
                cluster: CLUSTER,
                coordinator: thief.pubkey,
                root: thief.pubkey,
                createdAt: 1,
                expiration: 4e9,
              },
              thief.secretKey,
            )
          : certify(by.pubkey),
      );
    await publisher.publishCosignatures(3, [sign(thief)]);
    await publisher.publishCosignatures(3, [sign(thief), sign(two)]);
    await waitFor(() => epoch() === 3, 'the epoch with two signatures');
    assert.ok(!refusals.some(({ error }) => /2 of the 2/.test(error.message)));
    assert.ok(
      follower.cosignatures.some(({ pubkey }) => pubkey === two.pubkey),
      'they are handed on',
    );
  });

  test('a stolen key runs the epochs up, the root revokes it, and the cluster goes on by a new key', async () => {
    const { epoch, refusals, stop } = follow('theft');
    await waitFor(() => epoch() === 3, 'the epoch of before');
    const forged = makeEpoch(4_000_000_000, null, one);
    await publish(forged);
    await waitFor(() => epoch() === 4_000_000_000, 'the forged epoch: its key was good');
    const last = makeEpoch(3, second.manifest.id);
    const fourth = makeEpoch(4, last.manifest.id, two);
    const revocation = signRevocation(
      { cluster: CLUSTER, coordinator: one.pubkey, lastEpoch: 3, createdAt: 1100 },
      root.pubkey,
      root.secretKey,
      'stolen',
    );
    await publisher.publishRevocations([revocation]);
    await publish(fourth);
    await waitFor(() => epoch() === 4, 'the epoch of the new key');
    await publish(makeEpoch(4_000_000_001, fourth.manifest.id, one));
    await waitFor(
      () => refusals.some(({ error }) => /revoked/.test(error.message)),
      'a refusal of the old key',
    );
    await stop();
    const again = follow('theft');
    await waitFor(() => again.epoch() === 4, 'the table after a restart');
    assert.equal(again.follower.revocations.length, 1, 'the revocation is kept');
    await waitFor(() => again.refusals.some(({ error }) => /revoked/.test(error.message)), 'still refused');
  });

  test('a NATS that lost everything, and one that is away: the table comes from another member over HTTP', async () => {
    const fifth = makeEpoch(5, null, two);
    await publish(fifth);
    // A member that has the epoch, and serves it at its own URL.
    const serving = follow('serving');
    await waitFor(() => serving.epoch() === 5, 'the epoch at the member that serves it');
    const relays = await TestCluster.make(1);
    stops.push(() => relays.stop());
    const [relay] = relays.members;
    relay!.tables.serve(serving.follower.current!);
    await relay!.start();
    const base = relay!.url.replace('ws', 'http');

    const manager = await jetstreamManager(connection);
    for (const name of [`covey-${CLUSTER}-table`, `OBJ_covey-${CLUSTER}-snapshots`])
      await manager.streams.delete(name);
    const wiped = follow('wiped', { httpBases: () => ['http://127.0.0.1:9', base] });
    const away = follow('away', { httpBases: () => [base] }, false);
    await waitFor(() => wiped.epoch() === 5 && away.epoch() === 5, 'the table over HTTP');
    assert.deepEqual(away.follower.current!.event, fifth.manifest);

    // Told by a member that it has a newer one, it looks there at once, and not at the next poll.
    const told = follow('told', { httpBases: () => ['http://127.0.0.1:9'], pollMs: 3_600_000 }, false);
    told.follower.lookAt(relay!.url);
    await waitFor(() => told.epoch() === 5, 'the table of the member that told of it');

    const response = await fetch(`${base}/v1/table`, {
      headers: { 'if-none-match': `"${fifth.table.root}"` },
    });
    assert.equal(response.status, 304);
  });

  test('what a place serves over HTTP is believed no more than NATS', async () => {
    const relays = await TestCluster.make(1);
    stops.push(() => relays.stop());
    const [relay] = relays.members;
    const sixth = makeEpoch(6, null, two);
    const other = makeEpoch(7, null, two);
    relay!.tables.serve({ table: other.table, event: sixth.manifest });
    await relay!.start();
    const { refusals, epoch } = follow(
      'lied to',
      { httpBases: () => [relay!.url.replace('ws', 'http')] },
      false,
    );
    await waitFor(() => refusals.length > 0, 'a refusal');
    assert.match(refusals[0]!.error.message, /no way to the table of epoch 6.*not the table/);
    assert.equal(epoch(), undefined);
  });
});
