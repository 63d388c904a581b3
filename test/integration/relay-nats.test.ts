import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createLogger } from '@covey/log';
import { connectNats, TablePublisher } from '@covey/nats';
import {
  type Ack,
  type Heartbeat,
  type Mirrored,
  readAck,
  readHeartbeat,
  readMirrored,
  subjectsOf,
} from '@covey/protocol';
import { Member, readConfig } from '@covey/relay';
import { type PlacementTable, signCertificate, signManifest } from '@covey/table';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { freePort } from '../support/free-port.ts';
import { startNats, type TestNats } from '../support/servers.ts';
import { FakeRelay } from './ingest-fake-relay.ts';
import { until } from './relay-fixture.ts';

const log = createLogger('relay', process.env['COVEY_LOG'] ?? 'silent');

describe('a member on NATS', { timeout: 60_000 }, () => {
  const root = newSigner();
  const coordinator = newSigner();
  const alice = newSigner();
  const keys = [newSigner(), newSigner()];
  const members: Member[] = [];
  const acks: Ack[] = [];
  const heartbeats: Heartbeat[] = [];
  const mirrored: Mirrored[] = [];
  const dir = mkdtempSync(join(tmpdir(), 'covey-relay-nats-'));
  let ports: number[];
  let nats: TestNats;
  let connection: Awaited<ReturnType<typeof connectNats>>;
  let publisher: TablePublisher;

  const url = (i: number) => `ws://127.0.0.1:${ports[i]}`;
  const make = (i: number, natsUrl: string | undefined, more: Record<string, string> = {}) =>
    Member.open(
      readConfig({
        COVEY_MEMBER_KEY_FILE: join(dir, `${i}.key`),
        COVEY_MEMBER_DIR: join(dir, `member-${i}`),
        COVEY_LISTEN: `127.0.0.1:${ports[i]}`,
        COVEY_CLUSTER: nats.cluster,
        COVEY_PROFILE: 'local',
        COVEY_ROOTS: root.pubkey,
        ...more,
        ...(natsUrl ? { NATS_URL: natsUrl, NATS_NKEY_FILE: nats.nkeyFile(keys[i]!.pubkey) } : {}),
      }),
      log,
    );
  const table = (epoch: number, holder: number) =>
    fixtureTable({
      cluster: nats.cluster,
      epoch,
      members: keys.map(({ pubkey }, i) => ({ id: pubkey, url: url(i) })),
      groups: [{ members: [holder], accounts: [alice.pubkey] }],
    });
  const publish = async (made: PlacementTable, trustedRoot = root, snapshot = made.bytes) => {
    const certificate = signCertificate(
      {
        cluster: nats.cluster,
        coordinator: coordinator.pubkey,
        root: trustedRoot.pubkey,
        createdAt: 0,
        expiration: 4e9,
      },
      trustedRoot.secretKey,
    );
    const manifest = signManifest(
      {
        cluster: nats.cluster,
        epoch: made.epoch,
        previous: null,
        createdAt: 1000 + made.epoch,
        root: made.root,
        tableBytes: made.bytes.length,
        inputs: '0'.repeat(64),
        movesUntil: 2000,
        members: made.members.map(({ id, url: memberUrl }) => ({ id, url: memberUrl })),
        counts: { accounts: 1, follows: 0, communities: 1, groups: made.groupCount, moved: 0 },
      },
      coordinator.pubkey,
      coordinator.secretKey,
      certificate,
    );
    await publisher.publish({ epoch: made.epoch, root: made.root, manifest, snapshot });
  };
  const acked = (epoch: number, error?: RegExp) =>
    until(`acknowledgement of ${epoch}`, () =>
      keys.every(({ pubkey }) =>
        acks.some(
          (a) => a.member === pubkey && a.epoch === epoch && (error ? error.test(a.error ?? '') : !a.error),
        ),
      ),
    );

  before(async () => {
    nats = await startNats({ members: keys.map((key) => key.pubkey) });
    ports = [await freePort(), await freePort()];
    keys.forEach((key, i) => {
      writeFileSync(join(dir, `${i}.key`), key.secretKey, { mode: 0o600 });
    });
    connection = await connectNats({
      url: nats.url,
      user: 'coordinator',
      nkeyFile: nats.nkeyFile('coordinator'),
    });
    publisher = new TablePublisher(connection, nats.cluster);
    await publisher.prepare();
    const s = subjectsOf(nats.cluster);
    connection.subscribe(s.acks, { callback: (_, message) => void acks.push(readAck(message.data)) });
    connection.subscribe(s.heartbeats, {
      callback: (_, message) => void heartbeats.push(readHeartbeat(message.data)),
    });
    connection.subscribe(s.mirroreds, {
      callback: (_, message) => void mirrored.push(readMirrored(message.data)),
    });
    for (const i of [0, 1]) members.push(await make(i, nats.url));
    for (const member of members) await member.start();
  });
  after(async () => {
    for (const member of members) await member.stop();
    await connection.close();
    await nats.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('applies an epoch, says so, and forwards by it', async () => {
    await publish(table(1, 0));
    await acked(1);
    const client = await WireClient.open(url(1));
    const [accepted, message] = await client.publish(alice.sign());
    assert.equal(accepted, true);
    assert.equal(message, `forwarding to ${url(0)}`);
    const information = (await (
      await fetch(url(1).replace('ws', 'http'), { headers: { accept: 'application/nostr+json' } })
    ).json()) as { covey: { epoch: number; cluster: string } };
    assert.equal(information.covey.epoch, 1);
    assert.equal(information.covey.cluster, nats.cluster);
    client.close();
  });

  it('sends heartbeats with its load', async () => {
    const beat = await until('a heartbeat of epoch 1', () =>
      heartbeats.find((b) => b.member === keys[0]!.pubkey && b.epoch === 1 && b.load.events === 1),
    );
    assert.ok(beat.load.bytes > 0);
    const first = beat.sequence;
    await until('a later heartbeat', () =>
      heartbeats.some((b) => b.member === beat.member && b.sequence > first),
    );
  });

  it('says what it mirrors', async () => {
    const old = alice.sign({ content: 'at home', created_at: 1_700_000_000 });
    const home = await FakeRelay.start([old]);
    const client = await WireClient.open(url(0));
    await client.publish(alice.sign({ kind: 10002, tags: [['r', home.url]] }));
    await members[0]!.stop();
    members[0] = await make(0, nats.url, { COVEY_MIRROR: 'on' });
    await members[0].start();
    const said = await until('word of alice', () => mirrored.find((m) => m.accounts.length > 0));
    assert.equal(said.member, keys[0]!.pubkey);
    assert.equal(said.accounts[0]![0], alice.pubkey);
    const reader = await WireClient.open(url(0));
    assert.equal((await reader.read({ ids: [old.id] })).events.length, 1);
    for (const each of [client, reader]) each.close();
    await home.stop();
  });

  it('refuses what no trusted root stands behind, and says so; goes on with the next good one', async () => {
    await publish(table(2, 1), newSigner());
    // What can't be trusted names no epoch that could be believed.
    await until('a refusal', () => acks.some((a) => a.error && a.lastGoodEpoch === 1));
    assert.equal(members[0]!.relay.epoch, 1);
    await publish(table(3, 1));
    await acked(3);
    const client = await WireClient.open(url(1));
    assert.deepEqual(await client.publish(alice.sign({ content: 'here now' })), [true, '']);
    client.close();
  });

  it('comes back by its last table when NATS is gone', async () => {
    await members[0]!.stop();
    members[0] = await make(0, undefined);
    await members[0].start();
    assert.equal(members[0].relay.epoch, 3);
    const client = await WireClient.open(url(0));
    assert.match((await client.publish(alice.sign({ content: 'no NATS' })))[1], /^forwarding to/);
    client.close();
  });
});
