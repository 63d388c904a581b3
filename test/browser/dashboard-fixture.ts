import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import {
  appendLog,
  carryOut,
  connectPostgres,
  MIGRATIONS,
  migrate,
  recordJoin,
  type Sql,
  seedMembers,
  setCapacity,
  storeProbe,
  touchCoordinator,
} from '@covey/postgres';
import { ApiDatabase } from '../../services/api/src/database.ts';
import { MemberStates } from '../../services/api/src/member-states.ts';
import { ApiServer } from '../../services/api/src/server.ts';
import {
  type ClusterFixture,
  clusterFixture,
  MemoryTableSource,
} from '../../services/api/src/testing/cluster-fixture.ts';
import { explanationsFixture, reportFixture } from '../../services/api/src/testing/report-fixture.ts';
import { freePort, startPostgres, temporaryDirectory } from '../support/servers.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BEAT_MS = 1_000;

export interface DashboardFixture {
  url: string;
  cluster: ClusterFixture;
  source: MemoryTableSource;
  states: MemberStates;
  /** Stops the API; the page loses it. */
  stopApi(): Promise<void>;
  /** Starts it again at the same address. */
  startApi(options?: { admin?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

/** The real API over a real PostgreSQL, serving the dashboard as built from the sources at hand. */
export async function startDashboard(): Promise<DashboardFixture> {
  const dir = temporaryDirectory('dashboard');
  const dist = join(dir, 'dist');
  execFileSync(process.execPath, [
    join(ROOT, 'node_modules/vite/bin/vite.js'),
    'build',
    join(ROOT, 'services/dashboard'),
    '--outDir',
    dist,
    '--logLevel',
    'error',
  ]);
  const cluster = clusterFixture({ hub: true });
  const postgres = await startPostgres();
  await fillDatabase(postgres.url, cluster);
  const source = new MemoryTableSource(cluster);
  const states = new MemberStates(Date.now);
  states.listening(true);
  states.retain(cluster.table.members.map(({ id }) => id));
  const stopBeating = beat(cluster, states);
  const database = new ApiDatabase(postgres.url);
  const port = await freePort();
  let server: ApiServer | undefined;
  const startApi = async ({ admin = true } = {}) => {
    server = new ApiServer({
      cluster: 'local',
      source,
      states,
      reader: database,
      natsConfigured: true,
      admin,
      dashboardDir: dist,
      log: { error: console.error, info() {}, warn() {} },
    });
    await server.listen({ host: '127.0.0.1', port });
  };
  const stopApi = async () => {
    await server?.close();
    server = undefined;
  };
  await startApi();
  const stop = async () => {
    stopBeating();
    await stopApi();
    await database.close();
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { url: `http://127.0.0.1:${port}`, cluster, source, states, startApi, stopApi, stop };
}

/** All members are well, but one that was never heard and one that is an epoch behind and refuses the next. */
function beat({ table }: ClusterFixture, states: MemberStates): () => void {
  let sequence = 0;
  const send = () => {
    sequence++;
    table.members.slice(0, 4).forEach(({ id }, i) => {
      states.heartbeat({
        member: id,
        startedAtMs: 1,
        sequence,
        epoch: i === 3 ? 0 : table.epoch,
        software: 'covey',
        load: {
          connections: 100 + i,
          subscriptions: 7,
          events: 1234 + i,
          bytes: 5_000_000,
          writesPerSecond: 1.5,
          readsPerSecond: 20.25,
          spooled: i,
        },
      });
    });
  };
  send();
  const { id } = table.members[3]!;
  states.ack({ member: id, epoch: 1, root: table.root, atMs: 1, error: 'not enough disk' });
  const timer = setInterval(send, BEAT_MS);
  return () => clearInterval(timer);
}

/** The first account follows the next thirty; two epochs; a report. */
async function fillDatabase(url: string, cluster: ClusterFixture): Promise<void> {
  const sql = connectPostgres(url, { application: 'test', connections: 1 });
  await migrate(sql, MIGRATIONS);
  const keys = cluster.pubkeys.slice(0, 31).map((pubkey) => Buffer.from(pubkey, 'hex'));
  for (const key of keys) await sql`insert into accounts (pubkey) values (${key})`;
  const followees = Buffer.from(Uint32Array.from({ length: 30 }, (_, i) => i + 2).buffer);
  await sql`
    insert into follow_lists (account_id, created_at, list_id, signed, source, followee_count, followees)
    values (1, 1, ${keys[0]!}, true, 'test', 30, ${followees})`;
  const { manifest, event, table } = cluster;
  await sql`
    insert into epochs (epoch, fence, created_at, reason, manifest, manifest_id, root, inputs, snapshot, accounts, follows,
      communities, groups, moved)
    values (1, 1, ${manifest.createdAt}, 'test', ${JSON.stringify(event)}::text::json, ${event.id}, ${table.root},
      ${manifest.inputs}, 'x', ${table.accounts}, 1, 1, ${manifest.counts.groups}, 37)`;
  await sql`insert into epoch_reports (epoch, report) values (1, ${sql.json(reportFixture(cluster) as never)})`;
  const explained = explanationsFixture(cluster).sort((a, b) => (a.pubkey < b.pubkey ? -1 : 1));
  await sql`insert into epoch_explanations (epoch, first_key, accounts)
    values (1, ${Buffer.from(explained[0]!.pubkey, 'hex')}, ${gzipSync(JSON.stringify(explained))})`;
  await fillAuthority(sql, cluster);
  await sql.end();
}

type Member = ClusterFixture['table']['members'][number];

/** The members of the table, one of them suspended by probes, and one more that asks to join; two coordinators. */
async function fillAuthority(sql: Sql, { table }: ClusterFixture): Promise<void> {
  const members = table.members.map(({ id, url, name, operator, capacity }) => ({
    id,
    url,
    name,
    operator,
    capacity,
    state: 'active' as const,
  }));
  await seedMembers(sql, members);
  const [alder, birch, cedar, dogwood] = [0, 1, 2, 3].map((i) => members[i]!) as [
    Member,
    Member,
    Member,
    Member,
  ];
  for (let i = 0; i < 12; i++) await storeProbe(sql, alder.id, { outcome: 'ok', detail: '', ms: 8 + i });
  await storeProbe(sql, birch.id, { outcome: 'unreachable', detail: 'connection refused' });
  await storeProbe(sql, birch.id, { outcome: 'ok', detail: '', ms: 31 });
  await storeProbe(sql, cedar.id, { outcome: 'astray', detail: 'it took an event of another <b>member</b>' });
  const coordinator = 'c'.repeat(64);
  const suspend = { action: 'suspend', member: cedar.id, reason: 'found by probes' } as const;
  await carryOut(sql, suspend, { actor: coordinator });
  await setCapacity(sql, dogwood.id, { ...dogwood.capacity, reads: dogwood.capacity.reads / 2 });
  await touchCoordinator(sql, { name: 'east', pubkey: coordinator });
  await touchCoordinator(sql, { name: 'west', pubkey: 'd'.repeat(64) });
  await sql`
    insert into coordinator_lease (holder, fence, expires_at) values ('east', 1, now() + interval '1 hour')`;
  const capacity = { copies: 2, connections: 2, reads: 2 };
  const id = 'f0'.repeat(32);
  await recordJoin(sql, { id, url: 'wss://fir.example', name: 'Fir', operator: 'op', capacity }, capacity, {
    state: 'requested',
    reason: 'waits for an admin',
    request: { id, pubkey: id, created_at: 1, kind: 1, tags: [], content: '', sig: '' },
  });
  await appendLog(sql, { actor: id, action: 'join', subject: id, detail: { state: 'requested' } });
  await carryOut(sql, { action: 'pause', reason: 'a new rack' }, { actor: 'database:admin@localhost' });
}
