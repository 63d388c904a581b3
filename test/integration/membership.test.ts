import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  connectPostgres,
  listMembers,
  MIGRATIONS,
  migrate,
  placedMembers,
  readControls,
  readLog,
  type Sql,
  seedMembers,
} from '@covey/postgres';
import { isAdmission, type Order, signOrder } from '@covey/protocol';
import { Keeper } from '../../services/coordinator/src/membership/keeper.ts';
import { OrderDesk, type OrderDeskOptions } from '../../services/coordinator/src/membership/order-desk.ts';
import { newSigner, type Signer } from '../conformance/signer.ts';
import { startPostgres, type TestPostgres } from '../support/servers.ts';
import { TestCluster } from './relay-fixture.ts';

const CLUSTER = 'birds';
const log = { info() {}, warn: console.error };

describe('membership: orders to a coordinator, with relays that run', () => {
  let postgres: TestPostgres;
  let sql: Sql;
  let relays: TestCluster;
  const admin = newSigner();
  const coordinator = newSigner();
  const root = newSigner();
  const queued: object[] = [];
  const jobs = {
    add: async (_queue: string, job: object) => {
      queued.push(job);
      return '1';
    },
  };

  before(async () => {
    postgres = await startPostgres();
    sql = connectPostgres(postgres.url, { application: 'test' });
    await migrate(sql, MIGRATIONS);
    relays = await TestCluster.make(3);
    await relays.startAll();
  });

  after(async () => {
    await relays?.stop();
    await sql?.end({ timeout: 5 });
    await postgres?.stop();
  });

  const desk = (changes: Partial<OrderDeskOptions> = {}) =>
    new OrderDesk({
      sql,
      jobs,
      cluster: CLUSTER,
      profile: 'local',
      admins: [admin.pubkey],
      root: root.pubkey,
      admission: { rule: 'manual', allowed: [], membersMax: 10, capacityFactorMax: 4 },
      nowMs: Date.now,
      log,
      ...changes,
    });

  async function order(
    at: OrderDesk,
    value: Order,
    by: Signer,
    change: { challenge?: string; cluster?: string } = {},
  ) {
    const { challenge } = at.challenge();
    const createdAt = Math.floor(Date.now() / 1000);
    const event = signOrder(value, { cluster: CLUSTER, challenge, createdAt, ...change }, by);
    return { event, ...(await at.take(event)) };
  }

  const joinOf = (i: number, changes: object = {}) =>
    ({
      action: 'join',
      member: relays.members[i]!.key.pubkey,
      url: relays.members[i]!.url,
      operator: `operator ${i}`,
      ...changes,
    }) as Order;
  const stateOf = async (id: string) => (await listMembers(sql)).find((member) => member.id === id)?.state;

  test('a relay that proves key and URL waits for an admin, and is in once admitted', async () => {
    const at = desk();
    const [first] = relays.members;
    const asked = await order(
      at,
      joinOf(0, { capacity: { copies: 2, connections: 1, reads: 1 } }),
      first!.key,
    );
    assert.equal(asked.status, 200, asked.body.text);
    assert.equal(asked.body.state, 'requested');
    assert.deepEqual(await placedMembers(sql), [], 'not placed on before it is admitted');
    const early = await order(at, { action: 'admit', member: first!.key.pubkey }, first!.key);
    assert.equal(early.status, 403, 'a member does not admit itself');
    const admitted = await order(at, { action: 'admit', member: first!.key.pubkey }, admin);
    assert.equal(admitted.status, 200, admitted.body.text);
    const [placed] = await placedMembers(sql);
    assert.deepEqual(
      [placed?.id, placed?.url, placed?.operator, placed?.state, placed?.capacity.copies],
      [first!.key.pubkey, first!.url, 'operator 0', 'active', 2],
    );
    assert.deepEqual(queued.at(-1), { reason: 'member: admit', force: false });
    const again = await at.take(admitted.event);
    assert.equal(again.status, 409, 'an order counts once');
    const entries = await readLog(sql, { limit: 10 });
    assert.deepEqual(
      entries.map(({ action, actor }) => [action, actor]),
      [
        ['admit', admin.pubkey],
        ['join', first!.key.pubkey],
      ],
    );
    assert.equal(entries[1]!.event?.id, asked.event.id, 'the signed order is kept');
  });

  test('what can’t be proved, is not signed right, or comes from the wrong one, changes nothing', async () => {
    const at = desk();
    const [, second, third] = relays.members;
    const refusals: [string, Awaited<ReturnType<typeof order>>, number, RegExp][] = [
      [
        'another relay’s URL',
        await order(at, joinOf(1, { url: third!.url }), second!.key),
        422,
        /NIP-11 self/,
      ],
      ['nobody there', await order(at, joinOf(1, { url: 'ws://127.0.0.1:9' }), second!.key), 422, /NIP-11/],
      ['another’s key', await order(at, joinOf(1), third!.key), 403, /its own key/],
      ['another cluster', await order(at, joinOf(1), second!.key, { cluster: 'bees' }), 400, /cluster/],
      ['no challenge', await order(at, joinOf(1), second!.key, { challenge: 'x' }), 400, /challenge/],
      [
        'another coordinator’s challenge',
        await order(at, joinOf(1), second!.key, desk().challenge()),
        400,
        /challenge/,
      ],
      ['a field too many', await order(at, joinOf(1, { admin: true }), second!.key), 400, /bad/],
      [
        'an address inside, for a public cluster',
        await order(desk({ profile: 'public' }), joinOf(1), second!.key),
        400,
        /challenge|internet/,
      ],
    ];
    for (const [what, { status, body }, wanted, text] of refusals.slice(0, -1)) {
      assert.equal(status, wanted, `${what}: ${body.text}`);
      assert.match(body.text, text, what);
    }
    const open = desk({ profile: 'public' });
    const inside = await order(open, joinOf(1), second!.key);
    assert.deepEqual([inside.status, /internet/.test(inside.body.text)], [422, true]);
    const { event } = await order(at, { action: 'pause' }, second!.key);
    assert.equal((await at.take({ ...event, sig: event.sig.replace(/^../, '00') })).status, 400);
    assert.equal((await at.take('nonsense')).status, 400);
    assert.equal(await stateOf(second!.key.pubkey), undefined);
    assert.equal((await readControls(sql)).paused, undefined);
  });

  test('an open cluster takes whoever proves itself, up to its bound, and clamps what it declares', async () => {
    const at = desk({ admission: { rule: 'open', allowed: [], membersMax: 2, capacityFactorMax: 3 } });
    const [, second, third] = relays.members;
    const capacity = { copies: 1000, connections: 1, reads: 1 };
    const asked = await order(at, joinOf(1, { capacity }), second!.key);
    assert.equal(asked.body.state, 'active', asked.body.text);
    const row = (await listMembers(sql)).find(({ id }) => id === second!.key.pubkey)!;
    assert.deepEqual([row.declared.copies, row.capacity.copies], [1000, 6], '3 × the median of 2');
    assert.equal((await order(at, joinOf(2), third!.key)).body.state, 'requested', 'the third waits');
    const listed = desk({
      admission: { rule: 'allow-list', allowed: [third!.key.pubkey], membersMax: 9, capacityFactorMax: 3 },
    });
    await order(at, { action: 'refuse', member: third!.key.pubkey }, admin);
    assert.equal(await stateOf(third!.key.pubkey), 'refused');
    assert.equal((await order(listed, joinOf(2), third!.key)).body.state, 'active');
    const taken = await order(at, joinOf(2, { url: second!.url }), third!.key);
    assert.equal(taken.status, 422, 'a URL is one relay’s');
  });

  test('a member drains, comes back, is suspended, and leaves when no group names it', async () => {
    const at = desk();
    const [, second] = relays.members;
    const { pubkey } = second!.key;
    assert.equal((await order(at, { action: 'drain', member: pubkey }, second!.key)).status, 200);
    assert.equal((await placedMembers(sql)).find(({ id }) => id === pubkey)?.state, 'draining');
    assert.equal((await order(at, { action: 'reinstate', member: pubkey }, second!.key)).status, 200);
    assert.equal((await order(at, { action: 'suspend', member: pubkey, reason: 'lies' }, admin)).status, 200);
    assert.equal((await placedMembers(sql)).find(({ id }) => id === pubkey)?.state, 'draining');
    const self = await order(at, { action: 'reinstate', member: pubkey }, second!.key);
    assert.match(self.body.text, /reinstated by an admin/);
    await order(at, { action: 'reinstate', member: pubkey }, admin);
    assert.equal((await order(at, { action: 'leave', member: pubkey }, second!.key)).status, 200);
    assert.equal(await stateOf(pubkey), 'draining');

    const keeper = new Keeper({
      sql,
      jobs,
      cluster: CLUSTER,
      name: 'one',
      keys: { ...coordinator, certificate: { pubkey: root.pubkey } as never },
      file: [],
      natsUsers: undefined,
      leads: () => true,
      nowMs: Date.now,
      onMembers: () => {},
      onRevoked: () => assert.fail('nobody revoked it'),
      log,
    });
    await keeper.start();
    await keeper.stop();
    assert.equal(await stateOf(pubkey), 'left', 'no epoch names it');
    assert.equal((await readLog(sql, { limit: 1 }))[0]!.action, 'left');
    const admitted = (await listMembers(sql)).find(({ id }) => id === relays.members[0]!.key.pubkey)!;
    assert.ok(
      isAdmission(admitted.admission!, {
        cluster: CLUSTER,
        member: admitted.id,
        url: admitted.url,
        coordinator: coordinator.pubkey,
      }),
      'both sides have signed',
    );
    const gone = await order(at, { action: 'drain', member: pubkey }, second!.key);
    assert.match(gone.body.text, /is left.*join again/);
  });

  test('the members file begins a cluster and keeps its own up to date, and undoes no order', async () => {
    const file = [0, 1].map((i) => ({
      id: String(i + 1).repeat(64),
      url: `ws://127.0.0.1:${4700 + i}`,
      name: `from file ${i}`,
      operator: 'me',
      capacity: { copies: 1, connections: 1, reads: 1 },
      state: 'active' as const,
    }));
    assert.equal((await seedMembers(sql, file)).length, 2);
    const at = desk();
    await order(at, { action: 'drain', member: file[0]!.id }, admin);
    const changed = file.map((member) => ({ ...member, url: `${member.url}/new` }));
    assert.equal((await seedMembers(sql, changed)).length, 0);
    const rows = (await listMembers(sql)).filter(({ source }) => source === 'file');
    assert.deepEqual(
      rows.map(({ url, state }) => [url, state]),
      [
        ['ws://127.0.0.1:4700/new', 'draining'],
        ['ws://127.0.0.1:4701/new', 'active'],
      ],
    );
  });

  test('pause and resume are orders of admins', async () => {
    const at = desk();
    await order(at, { action: 'pause', reason: 'upgrade' }, admin);
    assert.equal((await readControls(sql)).paused?.reason, 'upgrade');
    const back = await order(at, { action: 'rollback', epoch: 7 }, admin);
    assert.deepEqual([back.status, /not kept/.test(back.body.text)], [409, true]);
    await order(at, { action: 'resume' }, admin);
    assert.equal((await readControls(sql)).paused, undefined);
    assert.deepEqual(queued.at(-1), { reason: 'resumed', force: false });
  });
});
