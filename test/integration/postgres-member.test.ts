import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ALL_CHECKS } from '../conformance/all-checks.ts';
import { runCheck } from '../conformance/relay-checks.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { TestCluster, until } from './relay-fixture.ts';

const CLI = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url));

/** Members that keep their events in PostgreSQL, a schema each in one database. */
describe('members with their stores in PostgreSQL', { timeout: 150_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'covey-pg-'));
  const clusters: TestCluster[] = [];
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(async () => {
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  });
  const make = async (count: number) => {
    const cluster = await TestCluster.make(count);
    clusters.push(cluster);
    return cluster;
  };

  describe('one alone', () => {
    let url: string;
    before(async () => {
      const cluster = await make(1);
      await cluster.startAll({ authKinds: [1059], storeUrl: server.url });
      cluster.place([]);
      url = cluster.members[0]!.url;
    });
    for (const check of ALL_CHECKS.filter(({ nip }) => nip !== 13))
      it(`NIP-${String(check.nip).padStart(2, '0')} ${check.it}`, () => runCheck(check, url));
  });

  it('replicate, keep what waits over a restart, and repair beside one with SQLite', async () => {
    const alice = newSigner();
    const cluster = await make(3);
    const [first, second, third] = cluster.members as [
      (typeof cluster.members)[0],
      (typeof cluster.members)[0],
      (typeof cluster.members)[0],
    ];
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    const kept = { storeUrl: server.url };
    await first.start(kept);
    await third.start(kept);
    const client = await WireClient.open(third.url);
    const events = Array.from({ length: 30 }, (_, i) =>
      alice.sign({ content: String(i), created_at: 1000 + i }),
    );
    for (const event of events) assert.equal((await client.publish(event))[0], true);
    // The second is away: its copies wait, over a restart of both who have some.
    assert.ok(third.relay!.load().spooled > 0);
    client.close();
    await first.stop();
    await third.stop();
    await third.start(kept);
    assert.ok(third.relay!.load().spooled > 0);
    await first.start(kept);
    await second.start();
    await until('copies', () => second.relay!.load().events === 30, 30_000);
    await until('an empty spool', () => third.relay!.load().spooled === 0, 30_000);

    await second.stop();
    rmSync(second.dir, { recursive: true, force: true });
    await second.start();
    await until('a repaired copy', () => second.relay!.load().events === 30, 30_000);

    // What moves away leaves when its new holders have it.
    const mover = await WireClient.open(first.url);
    cluster.place([{ members: [1], accounts: [alice.pubkey] }]);
    await first.stop();
    await first.start({ ...kept, graceMs: 1 });
    await until('departure', async () => {
      await first.relay!.departNow();
      return first.relay!.load().events === 0;
    });
    mover.close();
  });

  it('are exported and imported, and say what to use for the rest', async () => {
    const alice = newSigner();
    const cluster = await make(1);
    const [member] = cluster.members as [(typeof cluster.members)[0]];
    await member.start({ storeUrl: server.url });
    const client = await WireClient.open(member.url);
    const events = Array.from({ length: 5 }, (_, i) =>
      alice.sign({ content: `${i} \u0000 🐦`, created_at: 1000 + i }),
    );
    for (const event of events) await client.publish(event);
    await client.publish(alice.sign({ kind: 5, tags: [['e', events[0]!.id]] }));
    client.close();
    const key = join(root, 'member.key');
    writeFileSync(key, member.key.secretKey, { mode: 0o600 });
    const covey = async (storeUrl: string, ...args: string[]) =>
      (
        await promisify(execFile)(process.execPath, [CLI, 'relay', ...args], {
          env: { ...process.env, COVEY_STORE_URL: storeUrl, COVEY_MEMBER_KEY_FILE: key },
        })
      ).stdout;
    const file = join(root, 'events.jsonl');
    await assert.rejects(covey(server.url, 'export', member.dir, file), /in use by another process/);
    await assert.rejects(
      covey(server.url, 'backup', member.dir, join(root, 'x')),
      /pg_dump --schema=covey_member_/,
    );
    await assert.rejects(covey(server.url, 'vacuum', member.dir), /autovacuum/);
    await member.stop();
    assert.match(await covey(server.url, 'export', member.dir, file), /^5 events/);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    assert.equal(JSON.parse(lines[0]!).kind, 5, 'what deletes comes first');
    const other = `${server.url}?schema=imported`;
    assert.match(await covey(other, 'import', member.dir, file), /^5 events stored, 0 known/);
    writeFileSync(file, JSON.stringify(events[0]));
    assert.match(await covey(other, 'import', member.dir, file), /^0 events stored, 1 known/);
    await assert.rejects(covey(`${server.url}?schema=Bad-Name`, 'import', member.dir, file), /not a name/);
  });
});
