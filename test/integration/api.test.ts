import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLogger } from '@covey/log';
import { connectNats, TablePublisher } from '@covey/nats';
import { npubEncode } from '@covey/nostr';
import { connectPostgres, migrate } from '@covey/postgres';
import { subjectsOf } from '@covey/protocol';
import { diffTables, PlacementTable } from '@covey/table';
import { type ApiConfig, readApiConfig } from '../../services/api/src/config.ts';
import { ApiDatabase } from '../../services/api/src/database.ts';
import { ApiService } from '../../services/api/src/service.ts';
import { type ClusterFixture, clusterFixture } from '../../services/api/src/testing/cluster-fixture.ts';
import { graph as graphMigration } from '../../shared/postgres/src/migrations/001-graph.ts';
import { epochs as epochMigration } from '../../shared/postgres/src/migrations/002-epochs.ts';
import {
  startNats,
  startPostgres,
  type TestNats,
  type TestPostgres,
  temporaryDirectory,
} from '../support/servers.ts';

const MAIN = fileURLToPath(new URL('../../services/api/src/main.ts', import.meta.url));
const WAIT_MS_MAX = 15_000;

/** Asks again until `until` holds. */
async function poll<T>(ask: () => Promise<T>, until: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + WAIT_MS_MAX;
  for (;;) {
    const answer = await ask();
    if (until(answer)) return answer;
    assert.ok(Date.now() < deadline, `still ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}

async function getJson(base: string, path: string, init?: RequestInit) {
  const response = await fetch(`${base}${path}`, init);
  // biome-ignore lint/suspicious/noExplicitAny: each test says what it expects
  return { status: response.status, headers: response.headers, body: (await response.json()) as any };
}

const post = (body: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});

describe('the api on real NATS and PostgreSQL', () => {
  let nats: TestNats;
  let postgres: TestPostgres;
  let config: ApiConfig;
  let service: ApiService;
  let base: string;
  let publisherLink: Awaited<ReturnType<typeof connectNats>>;
  let first: ClusterFixture;
  let second: ClusterFixture;
  let child: ChildProcess | undefined;
  const dir = temporaryDirectory('api');
  const log = createLogger('api', 'silent');

  before(async () => {
    [nats, postgres] = await Promise.all([startNats(), startPostgres()]);
    first = clusterFixture({ cluster: nats.cluster });
    second = clusterFixture({ cluster: nats.cluster, epoch: 2, groupAccounts: 25, previous: first.event });
    config = readApiConfig({
      COVEY_LISTEN: '127.0.0.1:0',
      COVEY_API_DIR: dir,
      COVEY_CLUSTER: nats.cluster,
      COVEY_ROOTS: npubEncode(first.root),
      COVEY_ADMIN: 'open',
      NATS_URL: nats.url,
      NATS_NKEY_FILE: nats.nkeyFile('api'),
      DATABASE_URL: postgres.url,
    });
    service = new ApiService(config, log);
    base = await service.start();
  });

  after(async () => {
    child?.kill('SIGKILL');
    await service.stop();
    await publisherLink?.close();
    await Promise.all([nats.stop(), postgres.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });

  test('before anything is there, it listens, is healthy and not ready', async () => {
    assert.equal((await getJson(base, '/healthz')).status, 200);
    assert.equal((await getJson(base, '/readyz')).status, 503);
    // The schema is not there either: the coordinator makes it.
    assert.equal((await getJson(base, '/v1/plans', post({ follows: first.pubkeys[0] }))).status, 503);
  });

  test('it takes the snapshot, then the delta, and answers from them', async () => {
    publisherLink = await connectNats({
      url: nats.url,
      user: 'coordinator',
      nkeyFile: nats.nkeyFile('coordinator'),
    });
    const publisher = new TablePublisher(publisherLink, nats.cluster);
    await publisher.prepare();
    await publisher.publish({
      epoch: 1,
      root: first.table.root,
      manifest: first.event,
      snapshot: first.table.bytes,
    });
    await poll(
      () => getJson(base, '/readyz'),
      ({ status }) => status === 200,
    );
    const { body } = await getJson(base, `/v1/placements/${npubEncode(first.pubkeys[30]!)}`);
    assert.equal(body.master.id, first.table.members[first.table.locate(first.pubkeys[30]!).members[0]!]!.id);
    await publisher.publish({
      epoch: 2,
      root: second.table.root,
      manifest: second.event,
      snapshot: second.table.bytes,
      delta: diffTables(first.table, second.table),
    });
    await poll(
      () => getJson(base, '/v1/status'),
      (answer) => answer.body.epoch === 2,
    );
    const table = await fetch(`${base}/v1/table`);
    assert.equal(new PlacementTable(new Uint8Array(await table.arrayBuffer())).root, second.table.root);
  });

  test('members: heartbeats and acknowledgements', async () => {
    const subjects = subjectsOf(nats.cluster);
    const [a, b] = first.table.members;
    const load = {
      connections: 7,
      subscriptions: 1,
      events: 2,
      bytes: 3,
      writesPerSecond: 0,
      readsPerSecond: 0,
      spooled: 0,
    };
    publisherLink.publish(
      subjects.heartbeat(a!.id),
      JSON.stringify({ member: a!.id, startedAtMs: 1, sequence: 1, epoch: 2, software: 'covey', load }),
    );
    publisherLink.publish(
      subjects.ack(b!.id),
      JSON.stringify({
        member: b!.id,
        epoch: 2,
        root: second.table.root,
        atMs: 1,
        error: 'too large',
        lastGoodEpoch: 1,
      }),
    );
    publisherLink.publish(subjects.heartbeat(b!.id), 'not JSON');
    const { body } = await poll(
      () => getJson(base, '/v1/members'),
      (answer) => answer.body.members[0].state === 'up' && answer.body.members[1].refused !== null,
    );
    assert.equal(body.members[0].appliedEpoch, 2);
    assert.equal(body.members[0].load.connections, 7);
    assert.deepEqual(body.members[1].refused, { epoch: 2, reason: 'too large' });
    assert.equal(body.members[1].appliedEpoch, 1);
  });

  test('plans tell which accounts a master mirrors', async () => {
    const account = second.pubkeys[30]!;
    const members = second.table.members;
    const [master, replica] = second.table.locate(account).members;
    const say = (member: string, accounts: [string, number][]) =>
      publisherLink.publish(
        subjectsOf(nats.cluster).mirrored(member),
        JSON.stringify({ member, atMs: 1, accounts }),
      );
    say(members[replica!]!.id, [[account, 5]]); // not its master: not heard
    say(members[master!]!.id, [[account, 1_790_000_000]]);
    const { body } = await poll(
      () => getJson(base, '/v1/plans', post({ pubkeys: [second.pubkeys[0], account] })),
      (answer) => answer.body.mirrored.length > 0,
    );
    assert.deepEqual(body.mirrored, [{ since: 1_790_000_000, pubkeys: [1] }]);
    say(members[master!]!.id, []);
    await poll(
      () => getJson(base, '/v1/plans', post({ pubkeys: [account] })),
      (answer) => answer.body.mirrored.length === 0,
    );
  });

  test('follows, epochs and reports come from PostgreSQL', async () => {
    const sql = connectPostgres(postgres.url, { application: 'test', connections: 1 });
    await migrate(sql, [graphMigration, epochMigration]);
    const keys = first.pubkeys.slice(0, 4).map((pubkey) => Buffer.from(pubkey, 'hex'));
    for (const key of keys) await sql`insert into accounts (pubkey) values (${key})`;
    const followees = Buffer.from(Uint32Array.of(2, 4).buffer);
    await sql`
      insert into follow_lists (account_id, created_at, list_id, signed, source, followee_count, followees)
      values (1, 1, ${keys[0]!}, true, 'test', 2, ${followees})`;
    for (const { manifest, event, table } of [first, second])
      await sql`
        insert into epochs (epoch, fence, created_at, reason, manifest, manifest_id, root, inputs, snapshot, accounts, follows,
          communities, groups, moved)
        values (${manifest.epoch}, 1, ${manifest.createdAt}, 'test', ${JSON.stringify(event)}::text::json, ${event.id},
          ${table.root}, ${manifest.inputs}, 'x', ${table.accounts}, 1, 1, ${manifest.counts.groups}, ${manifest.counts.moved})`;
    const report = {
      communities: [
        {
          id: 0,
          accounts: 4,
          follows: 9,
          label: null,
          top: [{ pubkey: first.pubkeys[0], name: null, followers: 3 }],
          members: [],
        },
      ],
      edges: [],
      moved: { accounts: 3, byReason: { readers: 3 } },
      members: [],
      modularity: 0.5,
      ms: { load: 1 },
    };
    await sql`insert into epoch_reports (epoch, report) values (2, ${sql.json(report as never)})`;
    const entries = [
      { url: 'wss://own.example', read: true, write: true },
      { url: 'wss://inbox.example', read: true, write: false },
    ];
    await sql`
      insert into relay_lists (account_id, created_at, list_id, signed, source, entries)
      values (2, 1, ${keys[1]!}, true, 'test', ${sql.json(entries)})`;
    const database = new ApiDatabase(postgres.url);
    const lists = [];
    for await (const page of database.relayLists()) lists.push(...page);
    await database.close();
    assert.deepEqual(lists, [{ pubkey: keys[1], write: ['wss://own.example'] }]);
    await sql.end();

    // The pool waits before it connects again after a failure.
    const plan = await poll(
      () => getJson(base, '/v1/plans', post({ follows: npubEncode(first.pubkeys[0]!) })),
      ({ status }) => status !== 503,
    );
    assert.equal(plan.status, 200);
    assert.deepEqual(plan.body.pubkeys, [first.pubkeys[1], first.pubkeys[3]]);
    assert.deepEqual(plan.body.uncovered, []);
    assert.equal((await getJson(base, '/v1/plans', post({ follows: first.pubkeys[1] }))).status, 404);

    const history = await getJson(base, '/v1/epochs');
    assert.deepEqual(history.body, {
      epochs: [second, first].map(({ manifest, event, table }) => ({
        epoch: manifest.epoch,
        createdAt: new Date(manifest.createdAt * 1000).toISOString(),
        root: table.root,
        accounts: table.accounts,
        groups: manifest.counts.groups,
        moved: manifest.counts.moved,
        manifestId: event.id,
      })),
      next: null,
    });
    const communities = await getJson(base, '/v1/admin/communities');
    assert.match(communities.body.communities[0].label, /^npub1/);
    const epoch = await getJson(base, '/v1/admin/epoch');
    assert.deepEqual(epoch.body, {
      epoch: 2,
      moved: report.moved,
      members: [],
      trust: null,
      figures: { modularity: 0.5 },
      ms: { load: 1 },
    });
  });

  test('a restart with NATS and PostgreSQL gone: the last table answers, only what needs the database does not', async () => {
    await service.stop();
    const process = fork(MAIN, {
      env: {
        COVEY_LISTEN: '127.0.0.1:0',
        COVEY_API_DIR: dir,
        COVEY_CLUSTER: nats.cluster,
        COVEY_ROOTS: first.root,
        COVEY_ADMIN: 'open',
        NATS_URL: 'nats://127.0.0.1:1',
        DATABASE_URL: 'postgres://covey@127.0.0.1:1/covey',
      },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    child = process;
    const ready = once(process, 'message');
    const lines = createInterface({ input: process.stdout! })[Symbol.asyncIterator]();
    for (base = ''; base === ''; ) base = JSON.parse((await lines.next()).value!).url ?? '';
    assert.deepEqual((await ready)[0], { type: 'ready' });
    assert.equal((await getJson(base, '/readyz')).body.epoch, 2);
    assert.equal((await getJson(base, `/v1/placements/${first.pubkeys[0]}`)).body.epoch, 2);
    assert.equal((await getJson(base, '/v1/plans', post({ pubkeys: first.pubkeys }))).status, 200);
    const status = await getJson(base, '/v1/status');
    assert.equal(status.body.nats, 'away');
    assert.equal(status.body.members[0].state, 'unknown');
    const follows = await getJson(base, '/v1/plans', post({ follows: first.pubkeys[0] }));
    assert.equal(follows.status, 503);
    assert.match(follows.body.detail, /"pubkeys" instead/);
    const history = await getJson(base, '/v1/epochs');
    assert.equal(history.status, 200);
    assert.equal(history.body.epochs[0].epoch, 2);
    assert.match(history.body.partial, /current epoch/);
    assert.equal((await getJson(base, '/v1/admin/communities')).status, 503);
    // Who started it is gone: it goes too.
    process.disconnect();
    assert.deepEqual(await once(process, 'exit'), [0, null]);
  });
});
