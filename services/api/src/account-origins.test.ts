import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AccountOrigins, MIRRORED_MS_MAX, OriginsReading } from './account-origins.ts';
import { MemberStates } from './member-states.ts';
import { OriginsFeed } from './origins-feed.ts';
import { ApiServer } from './server.ts';
import { clusterFixture, MemoryTableSource } from './testing/cluster-fixture.ts';

const key = (n: number) => n.toString(16).padStart(64, '0');
const bytes = (...hex: string[]) => Buffer.from(hex.join(''), 'hex');
const MEMBERS = ['wss://one.example', 'wss://two.example'];

describe('where accounts write themselves', () => {
  const read = (lists: [string, string[]][], members: readonly string[] = MEMBERS) => {
    const reading = new OriginsReading(members);
    for (const [pubkey, write] of lists) reading.add({ pubkey: bytes(pubkey), write });
    return reading;
  };

  test('elsewhere, unless a member or no public relay is named', () => {
    const origins = new AccountOrigins(() => 0);
    assert.equal(origins.isKnown, false);
    origins.replace(
      read([
        [key(1), ['wss://a.example', 'wss://b.example']],
        [key(2), ['wss://a.example', 'wss://two.example']],
        [key(3), ['ws://192.168.1.2', 'wss://a.example']],
        [key(4), ['ws://localhost:1']],
        [key(5), []],
      ]),
    );
    const keys = bytes(...[9, 1, 2, 3, 4, 5, 1].map(key));
    assert.deepEqual(
      origins.of(keys, () => 'm'),
      {
        mirrored: [],
        external: [
          { url: 'wss://a.example', pubkeys: [1, 3, 6] },
          { url: 'wss://b.example', pubkeys: [1, 6] },
        ],
      },
    );
    assert.equal(origins.isKnown, true);
    const local = read([[key(4), ['ws://localhost:1']]], ['ws://127.0.0.1:4601']);
    assert.equal(local.external.size, 1, 'a cluster on private addresses may name them');
  });

  test('mirrored, while its master says so', () => {
    let nowMs = 0;
    const origins = new AccountOrigins(() => nowMs);
    origins.replace(read([[key(1), ['wss://a.example']]]));
    const of = (master: string) => origins.of(bytes(key(1)), () => master);
    const external = [{ url: 'wss://a.example', pubkeys: [0] }];
    origins.mirrored({ member: 'x', atMs: 0, accounts: [[key(1), 7]] }, false);
    assert.deepEqual(of('x'), { mirrored: [], external });
    origins.mirrored({ member: 'm', atMs: 0, accounts: [[key(1), 7]] }, true);
    assert.deepEqual(of('m'), { mirrored: [{ since: 7, pubkeys: [0] }], external: [] });
    assert.deepEqual(of('n'), { mirrored: [], external }, 'not its master');
    nowMs = MIRRORED_MS_MAX + 1;
    assert.deepEqual(of('m'), { mirrored: [], external });
    nowMs = 0;
    origins.retain(new Set(['n']));
    assert.deepEqual(of('m'), { mirrored: [], external });
  });

  test('plans say it, by index', async () => {
    const fixture = clusterFixture();
    const source = new MemoryTableSource(fixture);
    const origins = new AccountOrigins(() => 0);
    const lists = fixture.pubkeys
      .slice(0, 2)
      .map((pubkey) => ({ pubkey: bytes(pubkey), write: ['wss://a.example'] }));
    const log = { error: console.error, info() {}, warn() {}, debug() {} };
    const relayLists = async function* () {
      yield lists;
    };
    const feed = new OriginsFeed(origins, source, { relayLists }, undefined, log);
    feed.start();
    while (!origins.isKnown) await new Promise((resolve) => setImmediate(resolve));
    const server = new ApiServer({
      cluster: 'local',
      source,
      states: new MemberStates(() => 0),
      origins,
      natsConfigured: false,
      admin: false,
      dashboardDir: '/nonexistent',
      log,
    });
    const { members } = fixture.table;
    const master = members[fixture.table.locate(fixture.pubkeys[1]!).members[0]!]!.id;
    origins.mirrored({ member: master, atMs: 0, accounts: [[fixture.pubkeys[1]!, 0]] }, true);
    const pubkeys = [2, 1, 0].map((i) => fixture.pubkeys[i]);
    const response = await server.http.inject({ method: 'POST', url: '/v1/plans', payload: { pubkeys } });
    const { originsKnown, mirrored, external } = response.json();
    assert.deepEqual(
      { originsKnown, mirrored, external },
      {
        originsKnown: true,
        mirrored: [{ since: 0, pubkeys: [1] }],
        external: [{ url: 'wss://a.example', pubkeys: [2] }],
      },
    );
    feed.stop();
    await server.close();
  });
});
