import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DEFAULT_MOVE_POLICY } from '@covey/moves';
import { NatsLink, type Refusal, TableFollower } from '@covey/nats';
import { publicKeyOf } from '@covey/nostr';
import {
  carryOut,
  connectPostgres,
  listCosignatures,
  MIGRATIONS,
  migrate,
  type Sql,
  seedMembers,
  storeLists,
} from '@covey/postgres';
import { subjectsOf } from '@covey/protocol';
import {
  countSignatures,
  PlacementTable,
  signCertificate,
  signManifest,
  type TableMember,
  verifyManifest,
} from '@covey/table';
import { jetstreamManager } from '@nats-io/jetstream';
import { ApiDatabase } from '../../services/api/src/database.ts';
import { type AuditEvidence, judgeEpoch } from '../../services/coordinator/src/epochs/audit.ts';
import { commitDraft, draftStep } from '../../services/coordinator/src/epochs/commit-draft.ts';
import { computeEpoch } from '../../services/coordinator/src/epochs/compute-epoch.ts';
import { Cosigner } from '../../services/coordinator/src/epochs/cosigner.ts';
import {
  commitEpoch,
  FencedError,
  lastEpoch,
  nextInOutbox,
  republishLast,
  tableOf,
} from '../../services/coordinator/src/epochs/epoch-store.ts';
import { readEvidence } from '../../services/coordinator/src/epochs/evidence.ts';
import { unpackInputs } from '../../services/coordinator/src/epochs/inputs-file.ts';
import { rollbackTo } from '../../services/coordinator/src/epochs/rollback-epoch.ts';
import { type RunEpochOptions, runEpoch } from '../../services/coordinator/src/epochs/run-epoch.ts';
import { Lease } from '../../services/coordinator/src/lease.ts';
import { leaseIn } from '../../services/coordinator/src/lease-store.ts';
import type { MoveContext } from '../../services/coordinator/src/moves/commit-target.ts';
import { movesIn } from '../../services/coordinator/src/moves/move-store.ts';
import { Serial } from '../../services/coordinator/src/moves/serial.ts';
import { Outbox } from '../../services/coordinator/src/outbox.ts';
import { outboxIn } from '../../services/coordinator/src/outbox-store.ts';
import { publishingOver } from '../../services/coordinator/src/publishing.ts';
import { startNats, startPostgres, type TestNats, type TestPostgres } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';

const CLUSTER = 'epochs';
const ROOT_KEY = '01'.repeat(32);
const KEY = '02'.repeat(32);
const root = publicKeyOf(ROOT_KEY);
const coordinator = publicKeyOf(KEY);
const keys = {
  secretKey: KEY,
  pubkey: coordinator,
  certificate: signCertificate(
    { cluster: CLUSTER, coordinator, root, createdAt: 0, expiration: 4e9 },
    ROOT_KEY,
  ),
};
const members: TableMember[] = ['a1', 'a2', 'a3', 'a4', 'a5'].map((byte, i) => ({
  id: publicKeyOf(byte.repeat(32)),
  url: `wss://relay-${i}.example`,
  name: `relay ${i}`,
  operator: `operator ${i}`,
  capacity: { copies: 1, connections: 1, reads: 1 },
  state: 'active',
}));
/** Moves with members that apply everything at once and need nothing. */
const movesWith = (sql: Sql): MoveContext => ({
  store: movesIn(sql),
  stepInput: (current, phases) => ({
    phases,
    reports: new Map(
      current.members.map(({ id }) => [id, { epoch: current.epoch, heardAtMs: 0, filling: new Set() }]),
    ),
    appliedSinceMs: () => 0,
    dead: new Set(),
    nowMs: 0,
    targetSinceMs: 0,
    paused: false,
    quiet: true,
    policy: { ...DEFAULT_MOVE_POLICY, planTtlMs: 0 },
  }),
});
const shown = process.env['COVEY_LOG'] ? console.error : () => {};
const log = { info: shown, warn: shown };
const keyOf = (i: number) =>
  new Uint8Array(32)
    .fill(i & 0xff)
    .with(0, i >> 8)
    .with(1, (i * 37) & 0xff);

/** Two communities of 40 that hardly know each other. */
function lists(from: number, to: number, createdAt: number) {
  return Array.from({ length: to - from }, (_, at) => {
    const i = from + at;
    const side = i < 40 ? 0 : 40;
    const followees = Array.from({ length: 20 }, (_, step) => side + ((i - side + step + 1) % 40));
    return {
      type: 'follows' as const,
      pubkey: keyOf(i),
      createdAt,
      id: createdAt.toString(16).padStart(2, '0').repeat(32),
      signed: true,
      source: 'test',
      followees: Buffer.concat(followees.map(keyOf)),
    };
  });
}

describe('epochs, from the graph in PostgreSQL to a follower behind NATS', () => {
  let postgres: TestPostgres;
  let nats: TestNats;
  let sql: Sql;
  let dir: string;
  const stops: (() => unknown)[] = [];

  before(async () => {
    postgres = await startPostgres();
    nats = await startNats({ cluster: CLUSTER, members: [members[0]!.id] });
    sql = connectPostgres(postgres.url, { application: 'test' });
    await migrate(sql, MIGRATIONS);
    await storeLists(sql, lists(0, 80, 10));
    dir = mkdtempSync(join(tmpdir(), 'covey-epochs-'));
  });
  after(async () => {
    for (const stop of stops.reverse()) await stop();
    await sql?.end({ timeout: 5 });
    await nats?.stop();
    await postgres?.stop();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const run = (fence: number, change: Partial<RunEpochOptions> = {}) =>
    runEpoch({
      sql,
      cluster: CLUSTER,
      fence,
      keys,
      members,
      placement: {
        copies: 3,
        extraCopies: 0.1,
        hubs: 'adaptive',
        seed: 1,
        effort: 'quick',
        trustSeeds: [],
        trustAccounts: 100_000,
      },
      reason: 'test',
      force: false,
      nowMs: () => 1_800_000_000_000,
      onPhase: () => {},
      signal: new AbortController().signal,
      moves: movesWith(change.sql ?? sql),
      serial: new Serial(),
      ...change,
    });
  const connect = (user: string) => {
    const link = new NatsLink({ url: nats.url, user, nkeyFile: nats.nkeyFile(user) });
    stops.push(() => link.close());
    return link;
  };
  const lead = async (name: string) => {
    let fence = 0;
    const lease = new Lease({
      store: leaseIn(sql),
      holder: name,
      nowMs: () => performance.now(),
      onLeader: (f) => {
        fence = f;
      },
      onLost: () => {},
      log,
    });
    lease.start();
    stops.push(() => lease.stop());
    return { lease, fence: () => fence };
  };
  const follow = (refusals: Refusal[] = []) => {
    const follower = new TableFollower({
      cluster: CLUSTER,
      roots: [root],
      dir,
      link: connect(members[0]!.id),
      log,
      onRefused: (refusal) => refusals.push(refusal),
    });
    follower.start();
    stops.push(() => follower.stop());
    return follower;
  };

  test('an epoch is committed, published, followed, cached; the next one comes by delta', async () => {
    const leader = await lead('one');
    await waitFor(() => leader.fence() === 1, 'the lease');
    const link = connect('coordinator');
    const outbox = new Outbox({
      store: outboxIn(sql),
      publishing: publishingOver(link, CLUSTER),
      leads: () => leader.lease.fence !== undefined,
      onPublished: () => {},
      log,
    });
    outbox.start();
    stops.push(() => outbox.stop());

    const first = await run(1);
    assert.ok(
      first.changed && first.epoch === 1 && first.counts.accounts === 80 && first.counts.follows === 1600,
    );
    assert.equal(first.counts.communities, 2);
    outbox.wake();
    const ways: string[] = [];
    const follower = follow();
    follower.onTable(({ manifest }) => ways.push(`epoch ${manifest.epoch}`));
    await waitFor(() => follower.current?.manifest.epoch === 1, 'epoch 1 at the follower');
    assert.equal(follower.current!.table.root, first.root);
    await waitFor(async () => (await nextInOutbox(sql)) === undefined, 'an empty outbox');

    assert.deepEqual(await run(1), { changed: false, epoch: 1 }, 'nothing changed, so nothing is made');
    await storeLists(
      sql,
      lists(0, 3, 20).map((list) => ({ ...list, followees: Buffer.concat([keyOf(300), keyOf(301)]) })),
    );
    const second = await run(1);
    assert.ok(second.changed && second.epoch === 2 && second.counts.accounts === 82);
    assert.ok(
      second.deltaBytes !== null && second.deltaBytes < second.tableBytes / 4,
      'a delta much smaller than the table',
    );
    outbox.wake();
    await waitFor(() => follower.current?.manifest.epoch === 2, 'epoch 2 at the follower');
    assert.equal(follower.current!.table.root, second.root);
    assert.equal(follower.current!.manifest.previous, (await manifestOf(1)).id);
    assert.deepEqual(ways, ['epoch 1', 'epoch 2']);

    const database = new ApiDatabase(postgres.url);
    stops.push(() => database.close());
    const key = Buffer.from(keyOf(41)).toString('hex');
    const explained = await database.explanation(key, 2);
    assert.equal(explained?.epoch, 2, 'explanations are of the newest placement');
    assert.equal(explained.account.followers, 20);
    assert.ok(explained.account.readers >= 17 && explained.account.holders.length >= 3);
    assert.equal(await database.explanation('f'.repeat(64), 2), undefined);
    const report = await database.report(2);
    assert.equal(report?.report.moved.byReason['new'], 2);
    assert.equal(report.report.trust?.basis, 'equal');
    assert.ok(report.report.figures['fanout']! > 0);
    assert.ok(follower.current!.table.locate(keyOf(300)).source === 'table');
    assert.ok(
      verifyManifest(await manifestOf(2), [root], CLUSTER).epoch === 2,
      'PostgreSQL keeps the signed bytes',
    );
  });

  test('the cached table serves with NATS gone, and an older or forged manifest is refused', async () => {
    const refusals: Refusal[] = [];
    await nats.stop();
    const follower = new TableFollower({ cluster: CLUSTER, roots: [root], dir, log });
    follower.start();
    stops.push(() => follower.stop());
    assert.equal(follower.current?.manifest.epoch, 2, 'from the cache, at once');
    nats = await startNats({ cluster: CLUSTER, members: [members[0]!.id] });
    const link = connect('coordinator');
    const fresh = connect(members[0]!.id);
    const second = new TableFollower({
      cluster: CLUSTER,
      roots: [root],
      dir,
      link: fresh,
      log,
      onRefused: (refusal) => refusals.push(refusal),
    });
    second.start();
    stops.push(() => second.stop());
    await waitFor(() => link.connection !== undefined && fresh.connection !== undefined, 'NATS again');
    await fresh.connection!.flush();
    link.publish(subjectsOf(CLUSTER).manifest, await manifestOf(1));
    await waitFor(
      () => refusals.some(({ error }) => /epoch 1 is not after epoch 2/.test(error.message)),
      'a refusal of the older epoch',
    );
    const thief = '0f'.repeat(32);
    const forged = signManifest(
      { ...verifyManifest(await manifestOf(2), [root], CLUSTER), epoch: 9 },
      publicKeyOf(thief),
      thief,
      keys.certificate,
    );
    link.publish(subjectsOf(CLUSTER).manifest, forged);
    await waitFor(
      () => refusals.some(({ error }) => /another coordinator/.test(error.message)),
      'a refusal of the forgery',
    );
    assert.equal(second.current?.manifest.epoch, 2);
  });

  test('a NATS server that lost everything gets the last epoch again', async () => {
    const link = connect('coordinator');
    const published: number[] = [];
    const outbox = new Outbox({
      store: outboxIn(sql),
      publishing: publishingOver(link, CLUSTER),
      leads: () => true,
      onPublished: ({ epoch }) => published.push(epoch),
      log,
    });
    outbox.start();
    stops.push(() => outbox.stop());
    await waitFor(() => published.length === 1, 'epoch 2 published anew');
    const newcomer = async () => {
      rmSync(dir, { recursive: true, force: true });
      const follower = follow();
      await waitFor(
        () => follower.current?.manifest.epoch === 2,
        'the snapshot at a follower without a cache',
      );
      await follower.stop();
    };
    await newcomer();
    // And one that lost its streams while the connection stood: the failure to publish makes them again.
    const manager = await jetstreamManager(link.connection!);
    for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
    await republishLast(sql);
    outbox.wake();
    await waitFor(() => published.length === 2, 'epoch 2 published into new streams');
    assert.deepEqual(published, [2, 2]);
    await newcomer();
  });

  test('a coordinator that was overtaken writes nothing', async () => {
    await sql`update coordinator_lease set expires_at = now() - interval '1 second'`;
    const other = new Lease({
      store: leaseIn(sql),
      holder: 'two',
      nowMs: () => performance.now(),
      onLeader: () => {},
      onLost: () => {},
      log,
    });
    other.start();
    stops.push(() => other.stop());
    await waitFor(() => other.fence !== undefined, 'the lease at the other');
    assert.ok(other.fence! > 1);
    await assert.rejects(run(1, { force: true }), FencedError);
    assert.equal((await lastEpoch(sql))?.epoch, 2);
    const outcome = await run(other.fence!, { force: true });
    assert.equal(outcome.epoch, 3);
    const row = (await sql`select * from epochs where epoch = 3`)[0]!;
    await assert.rejects(
      commitEpoch(sql, {
        ...(row as never as Parameters<typeof commitEpoch>[1]),
        epoch: 3,
        fence: other.fence!,
        counts: outcome.changed ? outcome.counts : (undefined as never),
        manifestId: 'x',
        table: new Uint8Array(1),
        report: {} as never,
        snapshot: 'x',
        createdAt: 1,
      }),
      FencedError,
      'an epoch is written once',
    );
  });

  test('a step with a given content is an epoch like any other, and what is written with it stands with it', async () => {
    const last = (await lastEpoch(sql))!;
    const fence = Number((await sql`select fence from coordinator_lease`)[0]!['fence']);
    const previous = new PlacementTable(await tableOf(sql, last.epoch));
    const content = previous.content();
    const groups = [...content.groups];
    groups[0] = { ...groups[0]!, members: [...groups[0]!.members].reverse() };
    const context = { sql, cluster: CLUSTER, fence, keys };
    const draft = draftStep(
      last,
      previous,
      { ...content, groups },
      { createdAt: 2000, reason: 'step', moved: 0 },
    );
    await assert.rejects(
      commitDraft(context, last, draft, async (tx) => {
        await tx`insert into future_lists (pubkey, kind, created_at, source, event) values ('\\x00', 3, 1, 'x', '{}')`;
        throw new Error('changed its mind');
      }),
      /changed its mind/,
    );
    assert.equal((await lastEpoch(sql))!.epoch, last.epoch);
    assert.equal((await sql`select 1 from future_lists`).length, 0);
    await commitDraft(context, last, draft);
    await assert.rejects(commitDraft(context, last, draft), FencedError, 'a step is made once');
    const now = (await lastEpoch(sql))!;
    assert.equal(now.epoch, last.epoch + 1);
    assert.equal(now.snapshot, last.snapshot, 'the schedule finds nothing to place');
    const manifest = verifyManifest(await manifestOf(now.epoch), [root], CLUSTER);
    assert.equal(manifest.previous, last.manifestId);
    assert.deepEqual(new PlacementTable(await tableOf(sql, now.epoch)).group(0).members, groups[0].members);
    assert.ok(draft.delta && draft.delta.length < 2000, 'a step costs what it changes');
  });

  test('an audit computes an epoch again; a changed table, other inputs and a rollback are told', async () => {
    const first = await readEvidence(sql, 1, CLUSTER, [root]);
    const inputs = unpackInputs(first.inputsPieces);
    const computed = computeEpoch(inputs, () => 0);
    const verdict = judgeEpoch({ ...first, inputs, computed });
    assert.deepEqual(verdict.faults, []);
    assert.ok(verdict.checked.includes('the table'));
    const newest = await readEvidence(sql, (await lastEpoch(sql))!.epoch, CLUSTER, [root]);
    const faults = (change: Partial<AuditEvidence>) =>
      judgeEpoch({ ...first, inputs, computed, ...change }).faults.join('; ');
    assert.match(faults({ table: newest.table }), /not the one that the manifest names/);
    assert.match(faults({ inputs: { ...inputs, cluster: 'bees' } }), /another cluster/);
    const seed = { ...inputs, options: { ...inputs.options, seed: 99 } };
    assert.match(
      faults({ inputs: seed, computed: computeEpoch(seed, () => 0) }),
      /digest.*another placement/,
    );
    assert.match(
      faults({ manifest: { ...first.manifest, target: newest.table!.root } }),
      /no order in the log that can still be checked/,
    );
    await assert.rejects(readEvidence(sql, 999, CLUSTER, [root]), /no epoch 999/);
    await assert.rejects(readEvidence(sql, 1, CLUSTER, ['ab'.repeat(32)]), /not trusted/);
  });

  test('another coordinator computes an epoch itself, and signs it', async () => {
    const fence = Number((await sql`select fence from coordinator_lease`)[0]!['fence']);
    const { epoch } = await run(fence, { force: true });
    const secretKey = '07'.repeat(32);
    const pubkey = publicKeyOf(secretKey);
    const certificate = signCertificate(
      { cluster: CLUSTER, coordinator: pubkey, root, createdAt: 0, expiration: 4e9 },
      ROOT_KEY,
    );
    const warnings: unknown[] = [];
    const cosigner = new Cosigner({
      sql,
      cluster: CLUSTER,
      keys: { secretKey, pubkey, certificate },
      log: { info() {}, warn: (...said: unknown[]) => void warnings.push(said) },
    });
    cosigner.start();
    stops.push(() => cosigner.stop());
    await waitFor(
      async () => (await listCosignatures(sql, epoch)).length > 0 || warnings.length > 0,
      'a signature',
      30_000,
    );
    assert.deepEqual(warnings, []);
    const { event, manifest } = await readEvidence(sql, epoch, CLUSTER, [root]);
    const signatures = await listCosignatures(sql, epoch);
    assert.equal(countSignatures(event.pubkey, manifest, signatures, [root]), 2);
    await cosigner.stop();
  });

  test('a rollback that an admin ordered is signed by others as well; one that nobody ordered is not', async () => {
    const fence = Number((await sql`select fence from coordinator_lease`)[0]!['fence']);
    const last = (await lastEpoch(sql))!;
    const content = new PlacementTable(await tableOf(sql, last.epoch)).content();
    const groups = content.groups.map((group, i) =>
      i === 5 ? { ...group, members: [...group.members].reverse() } : group,
    );
    const draft = draftStep(
      last,
      new PlacementTable(await tableOf(sql, last.epoch)),
      { ...content, groups },
      { createdAt: 3000, reason: 'step', moved: 0 },
    );
    await commitDraft({ sql, cluster: CLUSTER, fence, keys }, last, draft);
    await seedMembers(sql, members);
    const context = { sql, cluster: CLUSTER, fence, keys, moves: movesWith(sql), serial: new Serial() };
    const { epoch } = await rollbackTo(context, last.epoch, 'by mistake', 1_800_000_000_000);
    const judge = async () => {
      const evidence = await readEvidence(sql, epoch, CLUSTER, [root]);
      const inputs = unpackInputs(evidence.inputsPieces);
      return judgeEpoch({ ...evidence, inputs, computed: computeEpoch(inputs, () => 0) });
    };
    assert.match((await judge()).faults.join(), /no order in the log that can still be checked/);
    await carryOut(sql, { action: 'rollback', epoch: last.epoch - 1 }, { actor: 'an admin' });
    assert.match((await judge()).faults.join(), /no order in the log/, 'an order to go somewhere else');
    await carryOut(sql, { action: 'rollback', epoch: last.epoch }, { actor: 'an admin' });
    const { ok, faults, checked } = await judge();
    assert.ok(ok, faults.join());
    assert.ok(checked.some((what) => what.includes(`epoch ${last.epoch}`)));
  });

  test('the same inputs give the same bytes', async () => {
    const other = await startPostgres();
    const copy = connectPostgres(other.url, { application: 'test' });
    try {
      await migrate(copy, MIGRATIONS);
      // The same lists in another order, in two batches: accounts get other ids.
      await storeLists(copy, lists(40, 80, 10));
      await storeLists(copy, lists(0, 40, 10).reverse());
      await copy`insert into coordinator_lease (holder, fence, expires_at) values ('x', 1, now() + interval '1 minute')`;
      const again = await run(1, { sql: copy });
      const first = (await sql`select root, inputs, manifest_id from epochs where epoch = 1`)[0]!;
      assert.ok(again.changed);
      assert.equal(again.root, first['root']);
      const row = (await copy`select inputs, manifest_id from epochs where epoch = 1`)[0]!;
      assert.deepEqual([row['inputs'], row['manifest_id']], [first['inputs'], first['manifest_id']]);
    } finally {
      await copy.end();
      await other.stop();
    }
  });

  const manifestOf = async (epoch: number) =>
    (await sql`select manifest from epochs where epoch = ${epoch}`)[0]!['manifest'];
});
