import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeSecretFile } from '@covey/config';
import { Jobs, PLACE_QUEUE } from '@covey/jobs';
import {
  carryOut,
  connectPostgres,
  listCoordinators,
  MIGRATIONS,
  migrate,
  type Sql,
  storeRevocation,
} from '@covey/postgres';
import { signCertificate, signRevocation } from '@covey/table';
import { Lease } from '../../services/coordinator/src/lease.ts';
import { leaseIn } from '../../services/coordinator/src/lease-store.ts';
import { newSigner, type Signer } from '../conformance/signer.ts';
import { freePort, startNats, startPostgres, type TestNats, type TestPostgres } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';

const CLUSTER = 'leaders';
const MAIN = join(import.meta.dirname, '..', '..', 'services', 'coordinator', 'src', 'main.ts');
const root = newSigner();
const quiet = { info() {}, warn() {} };

/** A coordinator as a process of its own. */
interface Process {
  name: string;
  key: Signer;
  kill(signal: NodeJS.Signals): void;
  ended(): boolean;
  /** What its /metrics says of a gauge. */
  metric(name: string): Promise<number>;
}

describe('several coordinators, one leads: real processes on real servers', () => {
  let postgres: TestPostgres;
  let nats: TestNats;
  let sql: Sql;
  let dir: string;
  let jobs: Jobs;
  const running: Process[] = [];

  before(async () => {
    postgres = await startPostgres();
    nats = await startNats({ cluster: CLUSTER });
    sql = connectPostgres(postgres.url, { application: 'test' });
    await migrate(sql, MIGRATIONS);
    jobs = new Jobs({ cluster: CLUSTER, databaseUrl: postgres.url, logger: quiet });
    dir = mkdtempSync(join(tmpdir(), 'covey-leaders-'));
    const members = Array.from({ length: 3 }, (_, i) => ({
      id: newSigner().pubkey,
      url: `wss://relay-${i}.example`,
      operator: `operator ${i}`,
    }));
    writeFileSync(join(dir, 'members.json'), JSON.stringify(members));
  });

  after(async () => {
    for (const process of running) process.kill('SIGKILL');
    await waitFor(() => running.every((process) => process.ended()), 'the coordinators to end');
    await jobs?.close();
    await sql?.end({ timeout: 5 });
    await nats?.stop();
    await postgres?.stop();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  async function start(name: string): Promise<Process> {
    const key = newSigner();
    const keyFile = join(dir, `${name}.key`);
    const certificateFile = join(dir, `${name}.json`);
    writeSecretFile(keyFile, `${key.secretKey}\n`);
    const certificate = {
      cluster: CLUSTER,
      coordinator: key.pubkey,
      root: root.pubkey,
      createdAt: 1,
      expiration: 4e9,
    };
    writeFileSync(certificateFile, JSON.stringify(signCertificate(certificate, root.secretKey)));
    const port = await freePort();
    const output = openSync(join(dir, `${name}.log`), 'a');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
      stdio: ['ignore', output, output],
      env: {
        PATH: process.env['PATH'],
        COVEY_CLUSTER: CLUSTER,
        COVEY_NAME: name,
        COVEY_COORDINATOR_KEY_FILE: keyFile,
        COVEY_CERTIFICATE_FILE: certificateFile,
        COVEY_MEMBERS_FILE: join(dir, 'members.json'),
        COVEY_HOME: dir,
        COVEY_EFFORT: 'quick',
        DATABASE_URL: postgres.url,
        NATS_URL: nats.url,
        NATS_NKEY_FILE: nats.nkeyFile('coordinator'),
        COVEY_LISTEN: `127.0.0.1:${port}`,
      },
    });
    const started: Process = {
      name,
      key,
      kill: (signal) => void child.kill(signal),
      ended: () => child.exitCode !== null || child.signalCode !== null,
      metric: async (gauge) => {
        const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
          signal: AbortSignal.timeout(5_000),
        });
        return Number(new RegExp(`^${gauge} (\\S+)$`, 'm').exec(await answer.text())?.[1] ?? Number.NaN);
      },
    };
    running.push(started);
    return started;
  }

  const leader = async () => {
    const rows = await sql<
      { holder: string }[]
    >`select holder from coordinator_lease where expires_at > now()`;
    return rows[0]?.holder;
  };
  const epochs = async () =>
    await sql<
      { epoch: string; fence: string; manifest_id: string; signer: string; previous: string | null }[]
    >`
      select epoch, fence, manifest_id, manifest->>'pubkey' as signer,
        (select tag->>1 from json_array_elements(manifest->'tags') tag where tag->>0 = 'previous') as previous
      from epochs order by epoch`;
  const lastEpoch = async () => Number((await epochs()).at(-1)?.epoch ?? 0);
  /** Asks for an epoch, and waits until there is one more. */
  const makeEpoch = async (reason: string) => {
    const before = await lastEpoch();
    await jobs.add(PLACE_QUEUE, { reason, force: true });
    await waitFor(async () => (await lastEpoch()) > before, `an epoch (${reason})`, 40_000);
  };

  test('a leader that is frozen is overtaken; what it had in hand when it wakes is thrown away', async () => {
    const one = await start('one');
    await waitFor(
      async () => (await leader()) === 'one' && (await lastEpoch()) >= 1,
      'the first epoch',
      40_000,
    );
    const two = await start('two');
    await waitFor(async () => (await listCoordinators(sql)).length === 2, 'both to be there', 30_000);
    // With a job under way, so that it wakes in the middle of making an epoch.
    await jobs.add(PLACE_QUEUE, { reason: 'frozen', force: true });
    one.kill('SIGSTOP');
    await waitFor(async () => (await leader()) === 'two', 'the other to lead', 30_000);
    await makeEpoch('by two');
    const before = await epochs();
    one.kill('SIGCONT');
    await waitFor(
      async () => (await one.metric('covey_coordinator_leading')) === 0,
      'the old one to step down',
      30_000,
    );
    await makeEpoch('after it woke');
    const all = await epochs();
    const late = all.filter(
      ({ epoch, signer }) => Number(epoch) > before.length && signer === one.key.pubkey,
    );
    assert.deepEqual(late, [], 'the fenced leader wrote nothing');
    assert.equal(await two.metric('covey_coordinator_leading'), 1);
    for (const [i, row] of all.entries()) {
      assert.equal(Number(row.epoch), i + 1, 'no epoch is left out or written twice');
      assert.equal(row.previous, all[i - 1]?.manifest_id ?? null, 'each names the one before');
      assert.ok(i === 0 || Number(row.fence) >= Number(all[i - 1]!.fence), 'fences only rise');
    }
  });

  test('promote hands the lead over within seconds, and a stop gives it up at once', async () => {
    await carryOut(sql, { action: 'promote', coordinator: 'one' }, { actor: 'test' });
    await waitFor(async () => (await leader()) === 'one', 'the promoted one to lead', 30_000);
    await assert.rejects(
      carryOut(sql, { action: 'promote', coordinator: 'nobody' }, { actor: 'test' }),
      /no coordinator "nobody".*one, two/,
    );
    await makeEpoch('by the promoted');
    await sql`update controls set preferred = null`;
    const one = running.find(({ name }) => name === 'one')!;
    one.kill('SIGTERM');
    await waitFor(() => one.ended(), 'one to stop', 30_000);
    await waitFor(async () => (await leader()) === 'two', 'the other to lead', 15_000);
    await makeEpoch('after a stop');
  });

  test('PostgreSQL dies in the middle of writes and comes back: every epoch is whole and the leader goes on', async (t) => {
    if (!postgres.restart) return t.skip('the PostgreSQL of DATABASE_URL is not restarted');
    const before = await lastEpoch();
    for (let i = 0; i < 3; i++) await jobs.add(PLACE_QUEUE, { reason: `before the crash ${i}`, force: true });
    await waitFor(async () => (await lastEpoch()) > before, 'the first of them', 40_000);
    await postgres.restart('SIGQUIT');
    // postgres 3.4.9 may take its process down when it writes to a connection that is just gone: whoever runs coordinators
    // starts them again, as here.
    const revive = async () => {
      if (running.findLast(({ name }) => name === 'two')!.ended()) await start('two');
    };
    await waitFor(
      async () => {
        await revive();
        return (await leader().catch(() => undefined)) === 'two';
      },
      'a leader again',
      60_000,
    );
    await waitFor(
      async () => {
        await revive();
        return (await lastEpoch()) >= before + 3;
      },
      'the rest of them',
      60_000,
    );
    const rows = await sql<{ broken: string }[]>`
      select count(*) as broken from epochs e left join epoch_reports r using (epoch)
      where e.epoch > (select max(epoch) - 8 from epochs) and e.table_bytes is null`;
    assert.equal(Number(rows[0]!.broken), 0, 'an epoch has its table');
    await waitFor(
      async () => (await sql`select 1 from epoch_outbox`).length === 0,
      'all to be published',
      30_000,
    );
    const all = await epochs();
    all.forEach((row, i) => {
      assert.equal(row.previous, all[i - 1]?.manifest_id ?? null);
    });
  });

  test('a coordinator whose key the root revokes leads no more; another does', async () => {
    const three = await start('three');
    await waitFor(
      async () => (await listCoordinators(sql)).some(({ name }) => name === 'three'),
      'a third',
      30_000,
    );
    const two = running.findLast(({ name }) => name === 'two')!;
    const revocation = signRevocation(
      { cluster: CLUSTER, coordinator: two.key.pubkey, lastEpoch: await lastEpoch(), createdAt: 100 },
      root.pubkey,
      root.secretKey,
    );
    await storeRevocation(sql, two.key.pubkey, revocation);
    await waitFor(async () => (await leader()) === 'three', 'the one with a good key to lead', 40_000);
    await makeEpoch('by a good key');
    assert.equal((await epochs()).at(-1)!.signer, three.key.pubkey);
    assert.equal(await two.metric('covey_coordinator_revoked'), 1);
  });

  test('an emptied queue fills itself: the next placement of the schedule is there again', async () => {
    await sql.unsafe('delete from covey_jobs_leaders.job; delete from covey_jobs_leaders.scheduler');
    await waitFor(
      async () => (await jobs.counts(PLACE_QUEUE)).delayed >= 1,
      'the schedule to be set again',
      60_000,
    );
    await makeEpoch('after the queue was emptied');
  });

  test('clocks that jump by an hour change nothing: the lease goes by PostgreSQL and the monotonic clock', async (t) => {
    for (const process of running) process.kill('SIGKILL');
    await waitFor(() => running.every((process) => process.ended()), 'the coordinators to end');
    await sql`update coordinator_lease set expires_at = now()`;
    const make = (holder: string) => {
      const lost: string[] = [];
      const lease = new Lease({
        store: leaseIn(sql),
        holder,
        nowMs: () => performance.now(),
        onLeader: () => {},
        onLost: () => lost.push(holder),
        log: quiet,
      });
      return { lease, lost };
    };
    const [fast, slow] = [make('an hour ahead'), make('an hour behind')];
    const real = Date.now;
    t.after(async () => {
      Date.now = real;
      await fast.lease.stop();
      await slow.lease.stop();
    });
    fast.lease.start();
    await waitFor(() => fast.lease.fence !== undefined, 'the first to lead');
    Date.now = () => real() + 3_600_000;
    slow.lease.start();
    const renewed = async () =>
      (await sql<{ at: Date }[]>`select expires_at as at from coordinator_lease`)[0]!.at.getTime();
    for (const shift of [-3_600_000, 3_600_000]) {
      const before = await renewed();
      Date.now = () => real() + shift;
      await waitFor(async () => (await renewed()) > before, 'a renewal', 15_000);
      assert.deepEqual([fast.lease.fence !== undefined, slow.lease.fence, fast.lost], [true, undefined, []]);
    }
  });
});
