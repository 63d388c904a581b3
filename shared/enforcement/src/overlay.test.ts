import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ALL_ALIVE, type MemberVerdicts } from '@covey/liveness';
import { SLOT_GROUPS } from '@covey/table';
import fc from 'fast-check';
import { type FixtureGroup, fixtureTable } from '../../../test/conformance/placement-fixture.ts';
import { Enforcer } from './enforcer.ts';
import { routeOf } from './group-route.ts';
import { Overlay } from './overlay.ts';
import { placementOf } from './placement-of.ts';

const id = (i: number) => i.toString(16).padStart(2, '0').repeat(32);
const MEMBERS = Array.from({ length: 8 }, (_, i) => ({ id: id(i + 1), url: `wss://m${i}.example` }));
const alice = 'a1'.repeat(32);
const client = { member: false, hops: 0, announced: false };
const event = { kind: 1, pubkey: alice, tags: [] };
const GROUP = SLOT_GROUPS;

const tableOf = (group: Partial<FixtureGroup> = {}) =>
  fixtureTable({
    members: MEMBERS,
    groups: [{ members: [0, 1, 2], accounts: [alice], ...group }],
    slotMembers: [5, 6, 7],
  });
const verdicts = (lists: {
  dead?: number[];
  absent?: number[];
  returning?: number[];
  majority?: boolean;
}): MemberVerdicts => ({
  returning: (lists.returning ?? []).map((i) => MEMBERS[i]!.id),
  dead: (lists.dead ?? []).map((i) => MEMBERS[i]!.id),
  absent: (lists.absent ?? []).map((i) => MEMBERS[i]!.id),
  majority: lists.majority ?? true,
});
const placed = (table: ReturnType<typeof tableOf>, lists: Parameters<typeof verdicts>[0]) =>
  placementOf(table, alice, Overlay.of(table, verdicts(lists)));

describe('while members are dead', () => {
  const table = tableOf();

  it('the oldest live copy is the acting master at once, and the dead are neither written nor read', () => {
    assert.deepEqual(placed(table, {}), { writers: [0, 1, 2], readers: [0, 1, 2] });
    assert.deepEqual(placed(table, { dead: [0] }), { writers: [1, 2], readers: [1, 2] });
    assert.deepEqual(placed(table, { dead: [1] }), { writers: [0, 2], readers: [0, 2] });
    assert.deepEqual(placed(table, { dead: [5] }), { writers: [0, 1, 2], readers: [0, 1, 2] });
  });

  it('one that returns is asked last, until it has caught up', () => {
    assert.deepEqual(placed(table, { returning: [0] }).writers, [1, 2, 0]);
    assert.deepEqual(placed(table, { returning: [0, 1, 2] }).writers, [0, 1, 2]);
    assert.deepEqual(placed(table, { returning: [0], dead: [1] }).readers, [2, 0]);
  });

  it('a copy is appointed in place of one that is absent, and at once when a single copy is left', () => {
    const { writers } = placed(table, { absent: [0] });
    assert.deepEqual(writers.slice(0, 2), [1, 2]);
    assert.equal(writers.length, 3);
    const two = placed(table, { dead: [0, 1] }).writers;
    assert.equal(two[0], 2);
    assert.equal(new Set(two).size, 3, 'the survivor acts, two are appointed');
    assert.ok(two.slice(1).every((member) => member > 2));
    assert.deepEqual(placed(table, { absent: [0], majority: false }).writers, [1, 2], 'not by a minority');
    assert.deepEqual(placed(table, { dead: [0, 1], majority: false }).writers, [2]);
  });

  it('a hub has read copies take over, and needs nobody appointed', () => {
    const hub = tableOf({ members: [0, 1, 2, 3], copies: 2 });
    assert.deepEqual(placed(hub, { dead: [0] }), { writers: [1, 2], readers: [1, 2, 3] });
    assert.deepEqual(placed(hub, { absent: [0, 1] }).writers, [2, 3]);
  });

  it('nobody is redirected to nobody: without any live copy a write waits here', () => {
    const minority = verdicts({ dead: [0, 1, 2], majority: false });
    const enforcer = new Enforcer(table, MEMBERS[6]!.id, 'redirect', undefined, minority);
    const decision = enforcer.decide(event, { ...client, announced: true });
    assert.equal(decision.action, 'forward');
    assert.deepEqual(decision.holders, [0, 1, 2]);
    assert.deepEqual(enforcer.placementOf(alice), { writers: [], readers: [] });
    // The dead are all that can be tried; that none answers is then said.
    assert.deepEqual(enforcer.route({ authors: [alice], tags: {} }).asks[0]?.candidates, [0, 1, 2]);
    assert.equal(enforcer.failover().unavailable, 1);
  });

  it('who is appointed holds, writes, and asks the copies that live while it fills', () => {
    const absent = verdicts({ absent: [0] });
    const appointed = placed(table, { absent: [0] }).writers[2]!;
    const filling = { yes: true };
    const enforcer = new Enforcer(table, MEMBERS[appointed]!.id, 'forward', () => filling.yes, absent);
    assert.deepEqual(
      enforcer.held().filter(({ appointed: yes }) => yes),
      [{ group: GROUP, others: [1, 2, 0], originals: [0, 1, 2], appointed: true }],
    );
    assert.equal(enforcer.decide(event, client).action, 'accept');
    const asked = () =>
      enforcer.route({ authors: [alice], tags: {} }).asks.map(({ candidates }) => candidates);
    assert.deepEqual(asked(), [[1, 2]]);
    filling.yes = false;
    assert.deepEqual(asked(), []);
    assert.equal(enforcer.failover().appointed, 1);
    assert.equal(enforcer.under(ALL_ALIVE).decide(event, client).action, 'forward');
  });

  it('who is no member is forgotten with the verdict', () => {
    const gone = { ...ALL_ALIVE, dead: ['ff'.repeat(32)] };
    const enforcer = new Enforcer(table, MEMBERS[1]!.id, 'forward', undefined, gone);
    assert.deepEqual(enforcer.under(ALL_ALIVE).verdicts.dead, []);
  });

  it('copies still go to the dead as well: they get them when they are back', () => {
    const enforcer = new Enforcer(table, MEMBERS[1]!.id, 'forward', undefined, verdicts({ dead: [0] }));
    assert.deepEqual(enforcer.decide(event, client), { action: 'accept', holders: [2, 0], reason: 'holder' });
    assert.equal(enforcer.isDead(0), true);
    assert.equal(enforcer.failover().acting, 1);
  });
});

describe('in the middle of a move', () => {
  const moving = (phase: 'write-both-read-old' | 'copy' | 'write-both-read-new' | 'clean-up') =>
    tableOf({ members: [3, 4, 5], move: { phase, from: [0, 1, 2] } });

  it('the old list serves for as long as it is the one that is read, whoever dies', () => {
    assert.deepEqual(placed(moving('copy'), { dead: [0, 3] }), { writers: [1, 2], readers: [1, 2] });
    assert.deepEqual(placed(moving('write-both-read-old'), { absent: [3, 4, 5] }).readers, [0, 1, 2]);
  });

  it('nobody is appointed while the other list has copies', () => {
    assert.deepEqual(placed(moving('copy'), { absent: [0] }).writers, [1, 2]);
    assert.deepEqual(placed(moving('write-both-read-new'), { absent: [3] }).writers, [4, 5]);
  });

  it('and the old list serves again where the new one is dead', () => {
    assert.deepEqual(placed(moving('write-both-read-new'), { dead: [3, 4, 5] }).readers, [0, 1, 2]);
    assert.deepEqual(placed(moving('write-both-read-new'), { dead: [3, 4, 5] }).writers, [0, 1, 2]);
    assert.deepEqual(placed(moving('clean-up'), { dead: [3, 4, 5], majority: false }).readers, []);
  });
});

const standing = fc.constantFrom('serves', 'serves', 'returning', 'dead', 'absent');

describe('whoever computes it', () => {
  it('lists living members alone, once each, those of the table first and in its order', () => {
    const table = tableOf({ members: [0, 1, 2, 3], copies: 3 });
    fc.assert(
      fc.property(fc.array(standing, { minLength: 8, maxLength: 8 }), fc.boolean(), (states, majority) => {
        const of = (name: string) => states.flatMap((state, i) => (state === name ? [i] : []));
        const overlay = Overlay.of(
          table,
          verdicts({ returning: of('returning'), dead: of('dead'), absent: of('absent'), majority }),
        );
        if (!overlay) return;
        const { members, copies, dead, appointed } = overlay.list(GROUP, table.group(GROUP));
        assert.equal(new Set(members).size, members.length);
        assert.ok(members.every((member) => !overlay.isDead(member)));
        const [serving, returning] = ['serves', 'returning'].map((name) => of(name).filter((i) => i < 4));
        assert.deepEqual(members, [...serving!, ...returning!, ...appointed]);
        assert.deepEqual(
          dead,
          [0, 1, 2, 3].filter((i) => overlay.isDead(i)),
        );
        assert.ok(appointed.every((i) => i > 3 && states[i] === 'serves'));
        if (!majority) assert.equal(appointed.length, 0);
        assert.ok(copies <= 3 && copies <= members.length);
      }),
      { seed: 1 },
    );
  });

  it('routes a group as its list alone says, whatever was known before', () => {
    const phases = ['write-both-read-old', 'copy', 'write-both-read-new', 'clean-up', undefined] as const;
    const groups = phases.flatMap((phase, n) =>
      [0, 3, 6].map((first) => ({
        members: [first % 8, (first + 1) % 8, (first + 2 + n) % 8, (first + 4 + n) % 8].slice(0, 3 + (n % 2)),
        copies: 3,
        accounts: [id(0x40 + 8 * n + first)],
        ...(phase ? { move: { phase, from: [(first + 3) % 8, (first + 1) % 8, (first + 5) % 8] } } : {}),
      })),
    );
    const table = fixtureTable({ members: MEMBERS, groups, slotMembers: [5, 6, 7] });
    const moves = new Map(table.moves().map((move) => [move.group, move]));
    const self = 3;
    let enforcer = new Enforcer(table, MEMBERS[self]!.id);
    fc.assert(
      fc.property(fc.array(standing, { minLength: 8, maxLength: 8 }), fc.boolean(), (states, majority) => {
        const of = (name: string) => states.flatMap((state, i) => (state === name ? [i] : []));
        const now = verdicts({
          returning: of('returning'),
          dead: of('dead'),
          absent: of('absent'),
          majority,
        });
        enforcer = enforcer.under(now);
        const overlay = Overlay.of(table, now);
        for (let group = GROUP - 1; group < table.groupCount; group++) {
          const { holds, others, originals, appointed } = routeOf(
            table.group(group),
            moves.get(group),
            self,
            group,
            overlay,
          );
          const { holds: held, others: rest, originals: first, appointed: is } = enforcer.copiesOf(group);
          assert.deepEqual([held, rest, first, is], [holds, others, originals, appointed]);
        }
        for (const { accounts } of groups)
          assert.deepEqual(enforcer.placementOf(accounts[0]!), placementOf(table, accounts[0]!, overlay));
      }),
      { seed: 2 },
    );
  });

  it('appoints members of other operators than the live copies while there are any', () => {
    const content = tableOf().content();
    const members = MEMBERS.map((member, i) => ({
      ...content.members[i]!,
      ...member,
      operator: ['a', 'b', 'c', 'a', 'b', 'c', 'b', 'd'][i]!,
    }));
    const table = fixtureTable({
      members,
      operators: members.map(({ operator }) => operator),
      groups: Array.from({ length: 50 }, (_, i) => ({ members: [0, 1, 2], accounts: [id(i + 20)] })),
    });
    const overlay = Overlay.of(table, verdicts({ absent: [0] }))!;
    for (let group = GROUP; group < GROUP + 50; group++) {
      const { appointed } = overlay.list(group, table.group(group));
      assert.ok([3, 7].includes(appointed[0]!), `${appointed}`);
    }
  });

  it('spreads what a dead member held over the others', () => {
    const table = tableOf();
    const overlay = Overlay.of(table, verdicts({ absent: [0] }))!;
    const counts = new Map<number, number>();
    for (let group = 0; group < 1000; group++) {
      const [member] = overlay.list(group, table.group(GROUP)).appointed;
      counts.set(member!, (counts.get(member!) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].sort(), [3, 4, 5, 6, 7]);
    assert.ok(
      [...counts.values()].every((count) => count > 140 && count < 260),
      `${[...counts.values()]}`,
    );
  });
});

it('decides as fast as without', { timeout: 20_000 }, () => {
  const accounts = Array.from({ length: 20_000 }, (_, i) => {
    const bytes = Buffer.alloc(32, i & 0xff);
    bytes.writeUInt32BE(Math.imul(i, 2654435761) >>> 0);
    return bytes.toString('hex');
  });
  const large = fixtureTable({ members: MEMBERS, groups: [{ members: [0, 1, 2], accounts }] });
  const enforcer = new Enforcer(large, MEMBERS[1]!.id, 'forward', undefined, verdicts({ dead: [0] }));
  const events = accounts.map((pubkey) => ({ pubkey, kind: 1, tags: [['p', pubkey]] }));
  let best = 0;
  for (let round = 0; round < 8; round++) {
    const start = process.threadCpuUsage();
    for (let i = 0; i < 200_000; i++) enforcer.decide(events[i % events.length]!, client);
    best = Math.max(best, 200_000 / (process.threadCpuUsage(start).user / 1e6));
  }
  console.log(`${Math.round(best / 1000)} thousand decisions a second with a dead member`);
  assert.ok(best > 1_000_000, `${best}`);
});
