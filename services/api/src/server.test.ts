import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { npubEncode, nsecEncode } from '@covey/nostr';
import { memberNumber, planRelays, readerNumber, slotOf } from '@covey/placement';
import { PlacementTable, verifyKeyProof } from '@covey/table';
import { noteEncode } from 'nostr-tools/nip19';
import { AccountOrigins, OriginsReading } from './account-origins.ts';
import { type ClusterReader, DatabaseUnavailableError, type EpochRow } from './cluster-reader.ts';
import { MemberStates } from './member-states.ts';
import { ApiServer, type ApiServerOptions } from './server.ts';
import {
  type ClusterFixture,
  clusterFixture,
  fixturePubkey,
  MemoryTableSource,
} from './testing/cluster-fixture.ts';
import { explanationsFixture, reportFixture } from './testing/report-fixture.ts';

const log = { error() {}, info() {}, warn() {} };
const servers: ApiServer[] = [];
after(() => Promise.all(servers.map((server) => server.close())));

function serve(fixture: ClusterFixture | undefined, options: Partial<ApiServerOptions> = {}): ApiServer {
  const server = new ApiServer({
    cluster: 'local',
    source: new MemoryTableSource(fixture),
    states: new MemberStates(() => 0),
    natsConfigured: false,
    admin: false,
    dashboardDir: '/nonexistent',
    log,
    ...options,
  });
  servers.push(server);
  return server;
}

async function get(server: ApiServer, url: string, headers: Record<string, string> = {}) {
  return await server.http.inject({ method: 'GET', url, headers });
}

async function plan(server: ApiServer, body: unknown, headers: Record<string, string> = {}) {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  return await server.http.inject({
    method: 'POST',
    url: '/v1/plans',
    payload,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

function assertProblem(
  response: {
    statusCode: number;
    headers: Record<string, unknown>;
    json(): { status: number; type: string; detail: string; title: string };
  },
  status: number,
  kind: string,
  detail: RegExp,
): void {
  assert.equal(response.statusCode, status);
  assert.match(String(response.headers['content-type']), /^application\/problem\+json/);
  const document = response.json();
  assert.equal(document.status, status);
  assert.equal(document.type, `urn:covey:problem:${kind}`);
  assert.match(document.detail, detail);
  assert.ok(document.title);
}

/** A reader whose database is away, unless a method is given. */
function reader(methods: Partial<ClusterReader> = {}): ClusterReader {
  const away = async (): Promise<never> => {
    throw new DatabaseUnavailableError('away');
  };
  return { followeesOf: away, epochs: away, report: away, explanation: away, authority: away, ...methods };
}

const fixture = clusterFixture({ hub: true });

describe('placements', () => {
  const server = serve(fixture);
  const relay = (i: number) => ({ id: fixture.table.members[i]!.id, url: fixture.table.members[i]!.url });

  test('a listed account, by hex, npub and nostr: URI', async () => {
    const pubkey = fixture.pubkeys[25]!; // group 1: members 1, 2, 3
    const expected = {
      pubkey,
      epoch: 1,
      source: 'table',
      group: 4097,
      hub: false,
      master: relay(1),
      replicas: [relay(2), relay(3)],
      readCopies: [],
    };
    for (const key of [pubkey, pubkey.toUpperCase(), npubEncode(pubkey), `nostr:${npubEncode(pubkey)}`]) {
      const response = await get(server, `/v1/placements/${key}`);
      assert.equal(response.statusCode, 200);
      assert.match(String(response.headers['content-type']), /^application\/json/);
      assert.equal(response.headers['access-control-allow-origin'], '*');
      assert.deepEqual(response.json(), expected);
    }
  });

  test('two accounts of one group share the answer but for the key', async () => {
    const [a, b] = [fixture.pubkeys[26]!, fixture.pubkeys[27]!];
    const [first, second] = [
      await get(server, `/v1/placements/${a}`),
      await get(server, `/v1/placements/${b}`),
    ];
    assert.deepEqual(Object.assign(first.json(), { pubkey: b }), second.json());
  });

  test('where an account lives, or that no group lists it, is proved against the manifest', async () => {
    const fixture = clusterFixture({ moves: [{ group: 0, phase: 'copy', from: [3, 4] }] });
    const server = serve(fixture);
    const strange = 'f0'.repeat(32);
    for (const pubkey of [fixture.pubkeys[0]!, fixture.pubkeys.at(-1)!, strange]) {
      const answer = (await get(server, `/v1/placements/${npubEncode(pubkey)}/proof`)).json();
      assert.equal(answer.manifest, fixture.event.id);
      const key = Buffer.from(pubkey, 'hex');
      const pages = answer.pages.map((page: { bytes: string }) => ({
        ...page,
        bytes: new Uint8Array(Buffer.from(page.bytes, 'base64')),
      }));
      const proved = verifyKeyProof(fixture.manifest, key, slotOf(key), { ...answer, pages });
      const located = fixture.table.locate(pubkey);
      assert.deepEqual(
        [proved.listed, proved.group, proved.list.members, proved.move?.phase],
        [pubkey !== strange, located.group, located.members, located.move?.phase],
      );
    }
    assertProblem(await get(server, '/v1/placements/nobody/proof'), 400, 'bad-key', /npub/);
  });

  test('a hub has read copies', async () => {
    const placement = (await get(server, `/v1/placements/${fixture.pubkeys[0]}`)).json();
    assert.equal(placement.hub, true);
    assert.deepEqual(placement.readCopies, [relay(3)]);
  });

  test('an unknown account lives at a slot, as the table says', async () => {
    const pubkey = fixturePubkey(1_000_000);
    const placement = (await get(server, `/v1/placements/${pubkey}`)).json();
    const located = fixture.table.locate(pubkey);
    assert.equal(placement.source, 'slot');
    assert.equal(placement.group, located.group);
    assert.deepEqual(placement.master, relay(located.members[0]!));
  });

  test('a group on its way shows both lists', async () => {
    const moving = serve(clusterFixture({ moves: [{ group: 1, phase: 'copy', from: [0, 4] }] }));
    const placement = (await get(moving, `/v1/placements/${fixture.pubkeys[25]}`)).json();
    assert.equal(placement.move.phase, 'copy');
    assert.deepEqual(placement.move.from, { master: relay(0), replicas: [relay(4)], readCopies: [] });
    assert.deepEqual(placement.master, relay(1));
  });

  test('what is no public key is a problem that says what to give', async () => {
    const note = noteEncode(fixture.pubkeys[0]!);
    assertProblem(
      await get(server, `/v1/placements/${note}`),
      400,
      'bad-key',
      /note does not name an account; give an npub/,
    );
    assertProblem(await get(server, '/v1/placements/hello'), 400, 'bad-key', /"hello" is not a key/);
    assertProblem(await get(server, `/v1/placements/${'0'.repeat(63)}`), 400, 'bad-key', /give an npub/);
    const nsec = nsecEncode(fixture.pubkeys[0]!);
    assertProblem(await get(server, `/v1/placements/${nsec}`), 400, 'bad-key', /secret key/);
  });
});

describe('plans', () => {
  const server = serve(fixture);

  test('every key is read from one of its holders, and the indexes are those of the list sent', async () => {
    const pubkeys = [
      fixture.pubkeys[25]!,
      npubEncode(fixture.pubkeys[45]!),
      fixturePubkey(1_000_000),
      fixture.pubkeys[25]!,
    ];
    const response = await plan(server, { pubkeys });
    assert.equal(response.statusCode, 200);
    const { epoch, relays, uncovered } = response.json();
    assert.equal(epoch, 1);
    assert.deepEqual(uncovered, []);
    const seen = relays.flatMap((relay: { pubkeys: number[] }) => relay.pubkeys).sort();
    assert.deepEqual(seen, [0, 1, 2, 3]);
    const hex = [fixture.pubkeys[25]!, fixture.pubkeys[45]!, pubkeys[2]!, fixture.pubkeys[25]!];
    for (const { id, pubkeys: indexes } of relays)
      for (const index of indexes) {
        const { members } = fixture.table.locate(hex[index]!);
        assert.ok(members.includes(fixture.table.memberIndex(id)!), `key ${index} is not on ${id}`);
      }
  });

  test('maxRelays leaves the rest uncovered; copies asks for more than one', async () => {
    const all = (await plan(server, { pubkeys: fixture.pubkeys })).json();
    assert.ok(all.relays.length >= 2);
    const one = (await plan(server, { pubkeys: fixture.pubkeys, maxRelays: 1 })).json();
    assert.equal(one.relays.length, 1);
    assert.equal(one.relays[0].pubkeys.length + one.uncovered.length, 400);
    const twice = (await plan(server, { pubkeys: fixture.pubkeys, copies: 2 })).json();
    assert.equal(twice.relays.flatMap((relay: { pubkeys: number[] }) => relay.pubkeys).length, 800);
  });

  test('a reader spreads over equal relays by its key and by published prices', async () => {
    const urls = async (from: ApiServer, reader?: string) =>
      (await plan(from, { pubkeys: [fixture.pubkeys[25]], reader })).json().relays[0].url as string;
    const readers = Array.from({ length: 60 }, (_, i) => fixturePubkey(i));
    const first = await Promise.all(readers.map((reader) => urls(server, reader)));
    assert.equal(new Set(first).size, 3);
    assert.deepEqual(await Promise.all(readers.map((reader) => urls(server, npubEncode(reader)))), first);
    const prices = (await get(server, '/v1/prices')).json();
    const { members } = fixture.table;
    assert.deepEqual(prices, {
      epoch: 1,
      unit: 4096,
      members: members.map(({ id }) => ({ id, open: 4096, read: 4096 })),
    });
    const numbers = members.map(({ id }) => memberNumber(id));
    readers.forEach((reader, i) => {
      const { relays } = planRelays({
        keys: 1,
        holders: () => fixture.table.locate(fixture.pubkeys[25]!).members,
        reader: readerNumber(Buffer.from(reader, 'hex')),
        numbers,
      });
      assert.equal(first[i], members[relays[0]!.member]!.url);
    });
    assertProblem(await plan(server, { pubkeys: [], reader: 'me' }), 400, 'bad-key', /reader/);
    assertProblem(await plan(server, { pubkeys: [], reader: 7 }), 400, 'bad-request', /reader/);
  });

  test('while a group moves, it is read from the list that its phase reads', async () => {
    const moves = (phase: 'copy' | 'write-both-read-new') =>
      serve(clusterFixture({ moves: [{ group: 1, phase, from: [4] }] }));
    const urlOf = async (from: ApiServer) =>
      (await plan(from, { pubkeys: [fixture.pubkeys[25]] })).json().relays[0].url;
    assert.equal(await urlOf(moves('copy')), fixture.table.members[4]!.url);
    assert.notEqual(await urlOf(moves('write-both-read-new')), fixture.table.members[4]!.url);
  });

  test('a member is told which external accounts it is the master of', async () => {
    const { id, url } = fixture.table.members[4]!;
    const own = fixture.pubkeys.filter((key) => fixture.table.locate(key).members[0] === 4);
    const other = fixture.pubkeys.find((key) => fixture.table.locate(key).members[0] !== 4)!;
    const origins = new AccountOrigins(() => 0);
    const told = serve(fixture, { origins });
    const path = `/v1/members/${id}/external`;
    assertProblem(await get(told, path), 503, 'no-database', /DATABASE_URL/);
    const reading = new OriginsReading(fixture.table.members.map((member) => member.url));
    const add = (pubkey: string, ...write: string[]) =>
      reading.add({ pubkey: Buffer.from(pubkey, 'hex'), write });
    add(own[1]!, 'wss://a.example', 'wss://b.example');
    add(own[0]!, 'wss://a.example');
    add(own[2]!, url);
    add(other, 'wss://a.example');
    add('ab'.repeat(32), 'wss://a.example');
    origins.replace(reading);
    const { epoch, accounts } = (await get(told, path)).json();
    assert.equal(epoch, 1);
    assert.deepEqual(
      accounts,
      [
        { pubkey: own[0]!, write: ['wss://a.example'] },
        { pubkey: own[1]!, write: ['wss://a.example', 'wss://b.example'] },
      ].sort((a, b) => (a.pubkey < b.pubkey ? -1 : 1)),
    );
    assert.equal((await get(told, `${path}?limit=1`)).json().accounts.length, 1);
    assertProblem(await get(told, `${path}?limit=9999`), 400, 'bad-request', /limit/);
    assertProblem(await get(told, `/v1/members/${other}/external`), 404, 'not-found', /No member/);
  });

  test('an empty list is an empty plan', async () => {
    assert.deepEqual((await plan(server, { pubkeys: [] })).json(), {
      epoch: 1,
      relays: [],
      uncovered: [],
      originsKnown: false,
      mirrored: [],
      external: [],
    });
  });

  test('bad bodies', async () => {
    assertProblem(await plan(server, '{"pubkeys":['), 400, 'not-json', /JSON object/);
    assertProblem(await plan(server, ''), 400, 'not-json', /JSON object/);
    assertProblem(
      await plan(server, 'pubkeys=1', { 'content-type': 'text/plain' }),
      415,
      'not-json-type',
      /content-type/,
    );
    assertProblem(await plan(server, []), 400, 'bad-request', /JSON object/);
    assertProblem(await plan(server, {}), 400, 'bad-request', /either "pubkeys"/);
    assertProblem(await plan(server, { pubkeys: 'x' }), 400, 'bad-request', /must be a list/);
    assertProblem(await plan(server, { pubkeys: [7] }), 400, 'bad-request', /pubkeys\[0\]/);
    const note = noteEncode(fixture.pubkeys[0]!);
    assertProblem(
      await plan(server, { pubkeys: [fixture.pubkeys[0], note] }),
      400,
      'bad-key',
      /pubkeys\[1\]: note/,
    );
    assertProblem(await plan(server, { pubkeys: [`${'0'.repeat(63)}g`] }), 400, 'bad-key', /pubkeys\[0\]/);
    assertProblem(await plan(server, { pubkeys: [], maxRelays: 0 }), 400, 'bad-request', /maxRelays/);
    assertProblem(await plan(server, { pubkeys: [], copies: 1.5 }), 400, 'bad-request', /copies/);
  });

  test('100,000 keys are answered, 100,001 are not', async () => {
    const pubkeys = Array.from({ length: 100_001 }, (_, i) => fixture.pubkeys[i % 400]!);
    assertProblem(
      await plan(server, { pubkeys }),
      422,
      'too-many-keys',
      /100001 public keys; a plan takes at most 100000/,
    );
    const response = await plan(server, { pubkeys: pubkeys.slice(1) });
    assert.equal(response.statusCode, 200);
    assert.deepEqual(response.json().uncovered, []);
  });

  test('a body over the bound is refused', async () => {
    assertProblem(
      await plan(server, `{"pubkeys":["${'x'.repeat(9 << 20)}"]}`),
      413,
      'body-too-large',
      /100,000 public keys/,
    );
  });

  test('more bodies at once than the budget are told to come back', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        plan(server, { pubkeys: [] }, { 'content-length': String(8 << 20) }).catch(() => undefined),
      ),
    );
    const busy = answers.filter((answer) => answer?.statusCode === 503);
    assert.ok(busy.length >= 1);
    assertProblem(busy[0]!, 503, 'busy', /Try again/);
    assert.equal(busy[0]!.headers['retry-after'], '1');
    assert.equal((await plan(server, { pubkeys: [] })).statusCode, 200);
  });

  test('follows: from the follow list, with the list in the answer', async () => {
    const followees = [fixture.pubkeys[3]!, fixture.pubkeys[70]!];
    const withReader = serve(fixture, {
      reader: reader({
        followeesOf: async (pubkey) => (pubkey === fixture.pubkeys[9] ? followees : undefined),
      }),
    });
    const answer = (await plan(withReader, { follows: npubEncode(fixture.pubkeys[9]!) })).json();
    assert.deepEqual(answer.pubkeys, followees);
    assert.deepEqual(answer.relays.flatMap((relay: { pubkeys: number[] }) => relay.pubkeys).sort(), [0, 1]);
    assertProblem(
      await plan(withReader, { follows: fixture.pubkeys[8] }),
      404,
      'no-follow-list',
      /as "pubkeys"/,
    );
    assertProblem(await plan(withReader, { follows: 'note1x' }), 400, 'bad-key', /follows/);
  });

  test('follows without a database: 503 that says to send pubkeys', async () => {
    assertProblem(
      await plan(server, { follows: fixture.pubkeys[9] }),
      503,
      'no-database',
      /"pubkeys" instead/,
    );
    const away = await plan(serve(fixture, { reader: reader() }), { follows: fixture.pubkeys[9] });
    assertProblem(away, 503, 'no-database', /"pubkeys" instead/);
    assert.ok(Number(away.headers['retry-after']) > 0);
  });
});

describe('cluster', () => {
  test('before the first table: 503 with Retry-After, and a status that says so', async () => {
    const server = serve(undefined);
    for (const url of [
      `/v1/placements/${fixture.pubkeys[0]}`,
      '/v1/manifest',
      '/v1/table',
      '/v1/members',
      '/v1/epochs',
      '/readyz',
    ]) {
      const response = await get(server, url);
      assertProblem(response, 503, 'no-table', /Try again/);
      assert.equal(response.headers['retry-after'], '5');
    }
    assertProblem(await plan(server, { pubkeys: [] }), 503, 'no-table', /Try again/);
    const status = await get(server, '/v1/status');
    assert.equal(status.statusCode, 200);
    assert.equal(status.json().ready, false);
    assert.equal((await get(server, '/healthz')).statusCode, 200);
  });

  test('status and members', async () => {
    const states = new MemberStates(() => 1_000);
    states.listening(true);
    states.retain(fixture.table.members.map(({ id }) => id));
    const id = fixture.table.members[2]!.id;
    const load = {
      connections: 3,
      subscriptions: 4,
      events: 5,
      bytes: 6,
      writesPerSecond: 0.5,
      readsPerSecond: 1.5,
      spooled: 0,
    };
    states.heartbeat({ member: id, startedAtMs: 0, sequence: 1, epoch: 1, software: 'covey/1', load });
    const server = serve(fixture, { states, natsConfigured: true });
    const status = (await get(server, '/v1/status')).json();
    assert.equal(status.ready, true);
    assert.equal(status.epoch, 1);
    assert.equal(status.accounts, 400);
    assert.equal(status.follows, 2800);
    assert.equal(status.communities, 12);
    assert.equal(status.groups, 20);
    assert.equal(status.nats, 'connected');
    assert.equal(status.members.length, 5);
    const member = status.members[2];
    assert.equal(member.state, 'up');
    assert.equal(member.appliedEpoch, 1);
    assert.deepEqual(member.load, load);
    // 20 groups of 20 accounts on members g, g+1, g+2 of 5.
    assert.equal(member.masters, 80);
    assert.equal(member.replicas, 160);
    assert.equal(status.members[0].state, 'unknown');
    assert.deepEqual((await get(server, '/v1/members')).json(), { epoch: 1, members: status.members });
    const slots = status.members.reduce((sum: number, each: { slots: number }) => sum + each.slots, 0);
    assert.equal(slots, 4096);
  });

  test('manifest and table: signed event, bytes, ETag and 304', async () => {
    const server = serve(fixture);
    const manifest = await get(server, '/v1/manifest');
    assert.deepEqual(manifest.json(), fixture.event);
    assert.equal(
      (await get(server, '/v1/manifest', { 'if-none-match': String(manifest.headers.etag) })).statusCode,
      304,
    );
    const table = await get(server, '/v1/table');
    assert.equal(table.headers.etag, `"${fixture.table.root}"`);
    assert.equal(table.headers['x-covey-epoch'], '1');
    assert.equal(new PlacementTable(new Uint8Array(table.rawPayload)).root, fixture.table.root);
    const same = await get(server, '/v1/table', { 'if-none-match': `W/"other", "${fixture.table.root}"` });
    assert.equal(same.statusCode, 304);
    assert.equal(same.rawPayload.length, 0);
    assert.equal((await get(server, '/v1/table', { 'if-none-match': '"other"' })).statusCode, 200);
    const head = await server.http.inject({ method: 'HEAD', url: '/v1/table' });
    assert.equal(head.headers['content-length'], String(fixture.table.bytes.length));
  });

  test('a new epoch replaces every answer', async () => {
    const source = new MemoryTableSource(fixture);
    const server = serve(undefined, { source });
    await get(server, `/v1/placements/${fixture.pubkeys[0]}`);
    source.set(clusterFixture({ epoch: 2, members: 3 }));
    const placement = (await get(server, `/v1/placements/${fixture.pubkeys[0]}`)).json();
    assert.equal(placement.epoch, 2);
    assert.equal(placement.readCopies.length, 0);
    assert.equal((await get(server, '/v1/status')).json().members.length, 3);
  });

  test('epochs: pages of the history; without a database the current one, and why', async () => {
    const row = (epoch: number): EpochRow => ({
      epoch,
      createdAt: '2026-11-01T00:00:00.000Z',
      root: fixture.table.root,
      accounts: 400,
      groups: 20,
      moved: 1,
      manifestId: fixture.event.id,
    });
    const history = [5, 4, 3, 2, 1].map(row);
    const server = serve(fixture, {
      reader: reader({
        epochs: async ({ before, limit }) =>
          history.filter(({ epoch }) => epoch < (before ?? 99)).slice(0, limit),
      }),
    });
    const first = (await get(server, '/v1/epochs?limit=2')).json();
    assert.deepEqual(first, { epochs: history.slice(0, 2), next: 4 });
    const last = (await get(server, '/v1/epochs?limit=3&before=4')).json();
    assert.deepEqual(last, { epochs: history.slice(2), next: null });
    assertProblem(await get(server, '/v1/epochs?limit=0'), 400, 'bad-request', /limit/);
    assertProblem(await get(server, '/v1/epochs?limit=x'), 400, 'bad-request', /limit/);
    const partial = (await get(serve(fixture, { reader: reader() }), '/v1/epochs')).json();
    assert.deepEqual(
      partial.epochs.map(({ epoch, manifestId }: EpochRow) => [epoch, manifestId]),
      [[1, fixture.event.id]],
    );
    assert.match(partial.partial, /Only the current epoch/);
  });
});

describe('admin', () => {
  const report = {
    communities: [
      {
        id: 0,
        accounts: 9,
        follows: 30,
        label: 'alice',
        top: [{ pubkey: fixture.pubkeys[0]!, name: 'alice', followers: 8 }],
        members: [
          [fixture.table.members[1]!.id, 6],
          [fixture.table.members[0]!.id, 3],
        ] as [string, number][],
      },
      {
        id: 4,
        accounts: 2,
        follows: 2,
        label: '',
        top: [{ pubkey: fixture.pubkeys[1]!, name: '', followers: 1 }],
        members: [],
      },
    ],
    edges: [[0, 4, 2]] as [number, number, number][],
    moved: { accounts: 3, byReason: { new: 3 }, byMember: [{ came: 2, left: 1 }] },
    members: [
      { id: fixture.table.members[0]!.id, masters: 1, copies: 2, groups: 1, connections: 1.5, reads: 0.5 },
    ],
    trust: null,
    figures: { fanout: 2.5 },
    ms: { load: 3 },
  };
  const open = { admin: true, reader: reader({ report: async () => ({ epoch: 1, report }) }) };
  const local = { host: '127.0.0.1:4600' };

  test('members by state, coordinators, the pause, and who did what', async () => {
    const capacity = { copies: 1, connections: 1, reads: 1 };
    const member = {
      id: 'ab'.repeat(32),
      url: 'wss://relay.example',
      name: 'relay',
      operator: 'me',
      state: 'suspended' as const,
      reason: 'found by probes',
      leaving: false,
      source: 'join' as const,
      changedAt: '2026-01-01T00:00:00.000Z',
      declared: capacity,
      capacity,
      probes: [
        { at: '2026-01-01T00:00:00.000Z', outcome: 'astray' as const, detail: 'passes nothing on', ms: 3 },
      ],
    };
    const log = [
      { id: 1, at: '2026-01-01T00:00:00.000Z', actor: 'me', action: 'pause', detail: { reason: 'x' } },
    ];
    const limits: number[] = [];
    const authority = async (limit: number) => {
      limits.push(limit);
      return { members: [member], coordinators: [], paused: { at: 'then', reason: 'x' }, log };
    };
    const server = serve(fixture, { admin: true, reader: reader({ authority }) });
    const answer = await get(server, '/v1/admin/authority?limit=7', local);
    assert.equal(answer.statusCode, 200, answer.body);
    assert.deepEqual(answer.json(), {
      members: [member],
      coordinators: [],
      paused: { at: 'then', reason: 'x' },
      log,
    });
    assert.deepEqual(limits, [7]);
    assertProblem(
      await get(serve(fixture), '/v1/admin/authority', local),
      403,
      'admin-closed',
      /COVEY_ADMIN/,
    );
  });

  test('closed unless opened', async () => {
    assertProblem(
      await get(serve(fixture), '/v1/admin/communities', local),
      403,
      'admin-closed',
      /COVEY_ADMIN=open/,
    );
  });

  test('not for names that only point here (DNS rebinding), and never with CORS', async () => {
    const server = serve(fixture, open);
    assertProblem(
      await get(server, '/v1/admin/communities', { host: 'evil.example' }),
      403,
      'admin-closed',
      /localhost/,
    );
    for (const host of ['localhost:4600', '127.0.0.1', '[::1]:4600']) {
      const response = await get(server, '/v1/admin/communities', { host });
      assert.equal(response.statusCode, 200, host);
      assert.equal(response.headers['access-control-allow-origin'], undefined);
    }
    const preflight = await server.http.inject({
      method: 'OPTIONS',
      url: '/v1/admin/communities',
      headers: local,
    });
    assert.equal(preflight.statusCode, 404);
    assert.equal(preflight.headers['access-control-allow-methods'], undefined);
  });

  test('an account explained, an epoch by its number', async () => {
    const stored = explanationsFixture(fixture);
    const asked: [string, number][] = [];
    const server = serve(fixture, {
      admin: true,
      reader: reader({
        report: async (epoch) => ({ epoch: Math.min(epoch, 1), report: reportFixture(fixture) }),
        explanation: async (pubkey, epoch) => {
          asked.push([pubkey, epoch]);
          const account = stored.find((one) => one.pubkey === pubkey);
          return account && { epoch: 1, account };
        },
      }),
    });
    const [first] = fixture.pubkeys;
    const response = await get(server, `/v1/admin/accounts/${npubEncode(first!)}`, local);
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers['access-control-allow-origin'], undefined);
    const account = response.json();
    assert.equal(account.pubkey, first);
    assert.equal(account.holders[0].role, 'master');
    assert.ok(account.why.length > 0);
    assert.deepEqual(asked, [[first, 1]]);
    assertProblem(await get(server, '/v1/admin/accounts/me', local), 400, 'bad-key', /is not a key/);
    assertProblem(await get(serve(fixture), `/v1/admin/accounts/${first}`, local), 403, 'admin-closed', /./);

    const epoch = await get(server, '/v1/admin/epochs/1', local);
    assert.equal(epoch.json().moved.byReason.readers, 21);
    assert.equal(epoch.json().trust.seeds, 32);
    assert.equal(epoch.json().members[1].came, 11);
    assertProblem(await get(server, '/v1/admin/epochs/7', local), 404, 'not-found', /placement of epoch 1/);
    assertProblem(await get(server, '/v1/admin/epochs/0', local), 400, 'bad-request', /./);
  });

  test('communities, one of them, the graph, the epoch', async () => {
    const server = serve(fixture, open);
    const list = await get(server, '/v1/admin/communities', local);
    assert.deepEqual(list.json().communities[0], {
      id: 0,
      label: 'alice',
      accounts: 9,
      follows: 30,
      members: report.communities[0]!.members,
    });
    assert.match(list.json().communities[1].label, /^npub1/);
    const again = await get(server, '/v1/admin/communities', {
      ...local,
      'if-none-match': String(list.headers.etag),
    });
    assert.equal(again.statusCode, 304);
    assert.deepEqual((await get(server, '/v1/admin/communities/0', local)).json().top, [
      { ...report.communities[0]!.top[0]!, npub: npubEncode(fixture.pubkeys[0]!) },
    ]);
    assertProblem(await get(server, '/v1/admin/communities/7', local), 404, 'not-found', /no community 7/);
    const graph = (await get(server, '/v1/admin/graph', local)).json();
    assert.deepEqual(graph.edges, [[0, 4, 2]]);
    assert.equal(graph.nodes[0].member, fixture.table.members[1]!.id);
    assert.deepEqual((await get(server, '/v1/admin/epoch', local)).json(), {
      epoch: 1,
      moved: { accounts: 3, byReason: { new: 3 } },
      members: [{ id: fixture.table.members[0]!.id, came: 2, left: 1, connections: 1.5, reads: 0.5 }],
      trust: null,
      figures: report.figures,
      ms: report.ms,
    });
  });

  test('a report that was read stays while the database is away', async () => {
    let away = false;
    const source = new MemoryTableSource(fixture);
    const server = serve(undefined, {
      source,
      admin: true,
      reader: reader({
        report: async () => {
          if (away) throw new DatabaseUnavailableError('away');
          return { epoch: 1, report };
        },
      }),
    });
    assert.equal((await get(server, '/v1/admin/graph', local)).statusCode, 200);
    away = true;
    source.set(clusterFixture({ epoch: 2 }));
    assert.equal((await get(server, '/v1/admin/graph', local)).json().epoch, 1);
    assertProblem(
      await get(serve(fixture, { admin: true, reader: reader() }), '/v1/admin/graph', local),
      503,
      'no-database',
      /database/,
    );
  });
});

describe('the rest', () => {
  const server = serve(fixture);

  test('unknown routes', async () => {
    assertProblem(await get(server, '/v1/nothing'), 404, 'not-found', /\/docs/);
    assertProblem(
      await server.http.inject({ method: 'DELETE', url: '/v1/plans' }),
      404,
      'not-found',
      /DELETE/,
    );
    assertProblem(await get(server, '/v1/placements/%'), 400, 'bad-request', /.+/);
  });

  test('preflight of a browser client', async () => {
    const response = await server.http.inject({
      method: 'OPTIONS',
      url: '/v1/plans',
      headers: { origin: 'https://client.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(response.statusCode, 204);
    assert.equal(response.headers['access-control-allow-origin'], '*');
    assert.match(String(response.headers['access-control-allow-headers']), /content-type/);
    const refused = await plan(server, '{');
    assert.equal(refused.headers['access-control-allow-origin'], '*');
  });

  test('OpenAPI names every route, and the page for people is there', async () => {
    const document = (await get(server, '/openapi.json')).json();
    assert.match(document.openapi, /^3\./);
    for (const path of [
      '/v1/status',
      '/v1/placements/{key}',
      '/v1/plans',
      '/v1/manifest',
      '/v1/table',
      '/v1/epochs',
      '/v1/members',
      '/healthz',
      '/readyz',
      '/metrics',
      '/v1/admin/communities',
    ])
      assert.ok(document.paths[path], path);
    assert.ok(document.paths['/v1/plans'].post.requestBody.content['application/json']);
    const page = await get(server, '/docs/');
    assert.equal(page.statusCode, 200);
    assert.match(page.body, /swagger-ui/);
  });

  test('metrics count requests by route', async () => {
    await get(server, `/v1/placements/${fixture.pubkeys[0]}`);
    const { body } = await get(server, '/metrics');
    assert.match(
      body,
      /covey_api_requests_total\{method="GET",route="\/v1\/placements\/:key",status="200"\} [1-9]/,
    );
    assert.match(body, /covey_api_epoch 1\n/);
    assert.match(body, /covey_api_members\{state="unknown"\} 5/);
  });

  test('a page that says how to build the dashboard', async () => {
    const page = await get(server, '/');
    assert.equal(page.statusCode, 503);
    assert.match(page.body, /npm run build/);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
  });
});
