import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import {
  carryOut,
  connectPostgres,
  listMembers,
  listProbes,
  MIGRATIONS,
  migrate,
  type Sql,
  seedMembers,
} from '@covey/postgres';
import { type PlacementTable, signCertificate } from '@covey/table';
import { WebSocket, WebSocketServer } from 'ws';
import { commitDraft } from '../../services/coordinator/src/epochs/commit-draft.ts';
import { probeMember } from '../../services/coordinator/src/probes/canary.ts';
import { compareCopies } from '../../services/coordinator/src/probes/compare-copies.ts';
import { Prober, type ProberOptions } from '../../services/coordinator/src/probes/prober.ts';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { freePort } from '../support/free-port.ts';
import { startPostgres, type TestPostgres } from '../support/servers.ts';
import { TestCluster, until } from './relay-fixture.ts';

const CLUSTER = 'test';
const coordinator = newSigner();
const root = newSigner();
const options = {
  secretKey: coordinator.secretKey,
  cluster: CLUSTER,
  profile: 'local' as const,
  nowMs: Date.now,
  answerMs: 5_000,
  arriveMs: 2_000,
};

describe('probes of members, with relays that run', () => {
  let relays: TestCluster;
  let table: PlacementTable;
  let postgres: TestPostgres;
  let sql: Sql;

  before(async () => {
    // Slots live on the first member: the others hold nothing.
    relays = await TestCluster.make(4, { slotMembers: [0] });
    await relays.startAll();
    relays.place([]);
    table = relays.members[0]!.tables.current!.table;
    // The last one acknowledges the table and goes by another: everything lives with itself.
    const alone = { id: relays.members[3]!.key.pubkey, url: relays.members[3]!.url };
    relays.members[3]!.tables.set(fixtureTable({ members: [alone], groups: [], epoch: table.epoch }));
    postgres = await startPostgres();
    sql = connectPostgres(postgres.url, { application: 'test' });
    await migrate(sql, MIGRATIONS);
  });

  after(async () => {
    await relays?.stop();
    await sql?.end({ timeout: 5 });
    await postgres?.stop();
  });

  test('a member that keeps to the table passes, whether it forwards or redirects', async () => {
    const [holder, forwards] = [await probeMember(table, 0, options), await probeMember(table, 1, options)];
    assert.deepEqual([holder.outcome, forwards.outcome], ['ok', 'ok'], `${holder.detail} ${forwards.detail}`);
    assert.ok(holder.ms! >= 0);
    await relays.members[2]!.stop();
    assert.equal((await probeMember(table, 2, options)).outcome, 'unreachable');
    await relays.members[2]!.start({ writes: 'redirect' });
    relays.members[2]!.tables.set(table);
    assert.deepEqual(await probeMember(table, 2, options), { outcome: 'ok', detail: '', ms: undefined });
  });

  test('a member that acknowledges the table and keeps what it should pass on is found', async () => {
    const probe = await probeMember(table, 3, options);
    assert.deepEqual(
      [probe.outcome, probe.detail],
      ['astray', 'acknowledges an account that lives elsewhere, and passes nothing on'],
    );
  });

  test('it is suspended after three times, an admin’s word stands against that, and nobody else is touched', async () => {
    await seedMembers(
      sql,
      table.members.map(({ id, url }, i) => ({
        id,
        url,
        name: `member ${i + 1}`,
        operator: `operator ${i + 1}`,
        capacity: { copies: 1, connections: 1, reads: 1 },
        state: 'active' as const,
      })),
    );
    await sql`insert into coordinator_lease (holder, fence, expires_at) values ('x', 1, now() + interval '1 hour')`;
    const certificate = {
      cluster: CLUSTER,
      coordinator: coordinator.pubkey,
      root: root.pubkey,
      createdAt: 1,
      expiration: 4e9,
    };
    const keys = { ...coordinator, certificate: signCertificate(certificate, root.secretKey) };
    await commitDraft({ sql, cluster: CLUSTER, fence: 1, keys }, undefined, {
      epoch: table.epoch,
      createdAt: 1000,
      table: table.bytes,
      root: table.root,
      members: table.members,
      inputs: '00'.repeat(32),
      snapshot: 'x',
      counts: { accounts: 0, follows: 0, communities: 0, groups: 0, moved: 0 },
      reason: 'test',
    });
    const queued: object[] = [];
    const settings: ProberOptions = {
      ...options,
      sql,
      jobs: { add: async (_queue, job) => String(queued.push(job)) },
      pubkey: coordinator.pubkey,
      admission: { rule: 'manual', allowed: [], membersMax: 10, capacityFactorMax: 4 },
      everyMs: 3_600_000,
      leads: () => true,
      applies: () => true,
      onProbe: () => {},
      log: { info() {}, warn() {} },
    };
    const prober = new Prober(settings);
    const states = async () => (await listMembers(sql)).map(({ state }) => state);
    await prober.round();
    await prober.round();
    assert.deepEqual(await states(), ['active', 'active', 'active', 'active']);
    await prober.round();
    assert.deepEqual(await states(), ['active', 'active', 'active', 'suspended']);
    const suspended = (await listMembers(sql))[3]!;
    assert.match(suspended.reason, /found by probes: acknowledges/);
    assert.deepEqual(queued, [{ reason: 'probes', force: false }]);
    await carryOut(sql, { action: 'reinstate', member: suspended.id }, { actor: 'an admin' });
    await prober.round();
    assert.deepEqual(
      await states(),
      ['active', 'active', 'active', 'active'],
      'shown, and not used against the admin',
    );
    assert.equal((await listProbes(sql)).get(suspended.id)![0]!.outcome, 'astray');
    await prober.stop();
  });

  test('a member that withholds what two other holders give is found', async () => {
    const authors = Array.from({ length: 4 }, () => newSigner());
    const placed = relays.table([
      { members: [0, 1, 2], accounts: authors.slice(0, 3).map(({ pubkey }) => pubkey) },
      { members: [0, 3, 1], accounts: [authors[3]!.pubkey] },
    ]);
    for (const { tables } of relays.members) tables.set(placed);
    await relays.well();
    const writer = await WireClient.open(relays.members[0]!.url);
    const hourAgo = Math.floor(Date.now() / 1000) - 3600;
    for (const [i, author] of authors.entries())
      for (let n = 0; n < 5; n++)
        assert.equal(
          (await writer.publish(author.sign({ content: `${i} ${n}`, created_at: hourAgo + n })))[0],
          true,
        );
    writer.close();
    await until('copies everywhere', () => relays.members.every(({ relay }) => relay!.load().spooled === 0));
    assert.deepEqual(await compareCopies(placed, 1, { ...options, againMs: 50 }), {
      compared: 15,
      withheld: [],
    });

    // The same relay behind something that keeps the events of one account from its readers.
    const liar = await withholding(relays.members[1]!.url, authors[0]!.pubkey);
    const members = placed.members.map((each, i) => ({ ...each, url: i === 1 ? liar.url : each.url }));
    const lying = Object.assign(Object.create(placed), { members }) as PlacementTable;
    lying.locate = placed.locate.bind(placed);
    const { compared, withheld } = await compareCopies(lying, 1, { ...options, againMs: 50 });
    assert.deepEqual([compared, withheld.length], [15, 5]);
    await liar.stop();
    await assert.rejects(compareCopies(lying, 1, { ...options, againMs: 50 }));
  });
});

/** A relay in front of another that drops one author's events on the way to readers. */
async function withholding(url: string, pubkey: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const server = new WebSocketServer({ host: '127.0.0.1', port });
  server.on('connection', (socket) => {
    const behind = new WebSocket(url);
    const waiting: string[] = [];
    behind.on('open', () => {
      for (const frame of waiting.splice(0)) behind.send(frame);
    });
    socket.on('message', (data) => {
      if (behind.readyState === WebSocket.OPEN) behind.send(String(data));
      else waiting.push(String(data));
    });
    behind.on('message', (data) => {
      const [type, , event] = JSON.parse(String(data));
      if (type !== 'EVENT' || event.pubkey !== pubkey) socket.send(String(data));
    });
    socket.on('close', () => behind.close());
  });
  await once(server, 'listening');
  const stop = async () => {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `ws://127.0.0.1:${port}`, stop };
}
