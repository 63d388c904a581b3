import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeTable, MOVE_PHASES, PlacementTable, type TableGroup } from '@covey/table';
import fc from 'fast-check';
import { checkStep } from './check-step.ts';
import type { Step, StepInput } from './model.ts';
import { prefixesInOneTable } from './row-pairs.ts';
import { StepPlanner } from './step-planner.ts';
import {
  allUpToDate,
  holdersOf,
  keyOf,
  list,
  memberId,
  smallTable,
  wholeKeys,
} from './testing/small-tables.ts';

const MEMBERS = [0, 1, 2, 3, 4];
const ids = MEMBERS.map(memberId);
const keys = wholeKeys(64);
const accounts = (count: number, placed: (i: number) => TableGroup) =>
  new Map(Array.from({ length: count }, (_, i) => [i, placed(i)]));

/** One step, checked. */
function step(
  current: PlacementTable,
  target: PlacementTable,
  change: Partial<StepInput> = {},
): { result: Step; table: PlacementTable } {
  const members = [...new Set([...current.members, ...target.members].map(({ id }) => id))];
  const input = { ...allUpToDate(members, current.epoch, 1e6), ...change };
  const result = new StepPlanner(current, target, keys).plan(input);
  if (result.kind !== 'step') return { result, table: current };
  const table = new PlacementTable(encodeTable(result.content));
  checkStep(current, table, keys);
  return { result, table };
}

/** Steps until nothing is left to do. @returns every table on the way */
function arrive(current: PlacementTable, target: PlacementTable, change: Partial<StepInput> = {}) {
  const tables = [current];
  for (let i = 0; i < 200; i++) {
    const { result, table } = step(tables.at(-1)!, target, change);
    if (result.kind === 'done') return tables;
    assert.equal(result.kind, 'step', JSON.stringify(result));
    tables.push(table);
  }
  throw new Error('it does not arrive');
}

const move = (table: PlacementTable, account: number) => table.locate(keyOf(account)).move;

describe('steps to a target', () => {
  const before = smallTable({ members: MEMBERS, accounts: accounts(20, () => list(0, 1, 2)) });
  const after = smallTable({
    members: MEMBERS,
    accounts: accounts(20, (i) => (i < 5 ? list(0, 1, 3) : list(0, 1, 2))),
  });

  it('take an account through all phases, and leave the others alone', () => {
    const tables = arrive(before, after);
    assert.deepEqual(
      tables.map((table) => move(table, 0)?.phase),
      [undefined, ...MOVE_PHASES, undefined],
    );
    for (const table of tables) {
      assert.equal(move(table, 10), undefined);
      assert.deepEqual(holdersOf(table, 10), [0, 1, 2].map(memberId));
    }
    assert.deepEqual(holdersOf(tables.at(-1)!, 0), [0, 1, 3].map(memberId));
    assert.deepEqual(move(tables[1]!, 0)!.from.members, [0, 1, 2]);
  });

  it('are the same whoever plans them', () => {
    assert.equal(step(before, after).table.root, step(before, after).table.root);
  });

  it('move a group as a whole under its number, and join groups that end with the same list', () => {
    const together = smallTable({
      members: MEMBERS,
      accounts: accounts(20, (i) => (i < 10 ? list(0, 1, 2) : list(2, 3, 4))),
    });
    const target = smallTable({ members: MEMBERS, accounts: accounts(20, () => list(2, 3, 4)) });
    const tables = arrive(together, target);
    assert.equal(
      tables[1]!.groupOf(keyOf(0)),
      together.groupOf(keyOf(0)),
      'no row changes while it is on its way',
    );
    assert.equal(tables.at(-1)!.groupOf(keyOf(0)), tables.at(-1)!.groupOf(keyOf(19)));
  });

  it('change the order of a list at once: nothing is moved', () => {
    const target = smallTable({ members: MEMBERS, accounts: accounts(20, () => list(2, 0, 1)) });
    const tables = arrive(before, target);
    assert.equal(tables.length, 2);
    assert.deepEqual(holdersOf(tables[1]!, 3), [2, 0, 1].map(memberId));
  });

  it('list an account from its slot, and unlist one, by way of all phases', () => {
    const some = smallTable({ members: MEMBERS, slots: list(0, 1), accounts: accounts(3, () => list(2, 3)) });
    const target = smallTable({
      members: MEMBERS,
      slots: list(0, 1),
      accounts: new Map([
        [2, list(2, 3)],
        [7, list(3, 4)],
        [8, list(0, 1)],
      ]),
    });
    assert.equal(prefixesInOneTable(some, target).length, 4);
    const tables = arrive(some, target);
    assert.equal(tables[1]!.locate(keyOf(8)).source, 'table', 'the slot has the same members');
    assert.deepEqual(move(tables[1]!, 7)!.from.members, [0, 1]);
    assert.equal(move(tables[1]!, 0)!.phase, 'write-both-read-old');
    const last = tables.at(-1)!;
    assert.equal(last.locate(keyOf(0)).source, 'slot');
    assert.deepEqual(holdersOf(last, 7), [3, 4].map(memberId));
    assert.equal(last.accounts, 3);
  });

  it('move slots, and drop a member that nobody names any more', () => {
    const old = smallTable({
      members: [0, 1, 2],
      slots: list(0, 1),
      accounts: accounts(4, () => list(1, 2)),
    });
    const target = smallTable({
      members: [2, 1, 3],
      slots: list(1, 2),
      accounts: accounts(4, () => list(1, 0)),
    });
    const policy = { ...allUpToDate([], 1, 1).policy, groupsMax: 10_000, accountsPerMemberMax: 100_000 };
    const tables = arrive(old, target, { policy });
    assert.deepEqual(
      tables[1]!.members.map(({ id, state }) => [id, state]),
      [
        [memberId(0), 'draining'],
        [memberId(1), 'active'],
        [memberId(2), 'active'],
        [memberId(3), 'active'],
      ],
    );
    assert.deepEqual(
      tables.at(-1)!.members.map(({ id }) => id),
      [1, 2, 3].map(memberId),
    );
    assert.deepEqual(holdersOf(tables.at(-1)!, 60), [1, 3].map(memberId), 'a key of a slot');
  });

  it('keep keys with a common prefix apart, and join their rows again', () => {
    const twin = keyOf(1).with(31, 0xee);
    const groups = [...Array(4096).fill(list(0)), list(1, 2), list(2, 3)];
    const encode = (
      epoch: number,
      exceptions: { key: Uint8Array; group: number }[],
      prefixes: { key: Uint8Array; group: number }[],
    ) => {
      const content = smallTable({ members: MEMBERS, accounts: new Map() }).content();
      const bytes = (rows: typeof exceptions, keyBytes: number) => {
        const all = new Uint8Array(rows.length * (keyBytes + 4));
        rows.forEach(({ key, group }, i) => {
          all.set(key.subarray(0, keyBytes), i * (keyBytes + 4));
          new DataView(all.buffer).setUint32(i * (keyBytes + 4) + keyBytes, group, true);
        });
        return all;
      };
      const rows = { prefixes: bytes(prefixes, 10), exceptions: bytes(exceptions, 32) };
      return new PlacementTable(encodeTable({ ...content, epoch, groups, rows }));
    };
    const sorted = [
      { key: keyOf(1), group: 4096 },
      { key: twin, group: 4097 },
    ].sort((a, b) => Buffer.compare(a.key, b.key));
    const one = encode(1, [], [{ key: keyOf(1), group: 4096 }]);
    const two = encode(1, sorted, []);
    const apart = arrive(one, two).at(-1)!;
    assert.deepEqual(apart.locate(twin).members, [2, 3]);
    assert.deepEqual(apart.locate(keyOf(1)).members, [1, 2]);
    assert.equal(apart.rows.exceptions.length, 72);
    const again = arrive(apart, one).at(-1)!;
    assert.equal(again.rows.exceptions.length, 0);
    assert.deepEqual(again.locate(keyOf(1)).members, [1, 2]);
  });
});

describe('a phase', () => {
  const before = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(0, 1, 2)) });
  const after = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(0, 1, 3)) });
  const group = before.groupOf(keyOf(0));
  const started = step(before, after).table;
  const copying = step(started, after).table;
  const readNew = step(copying, after).table;
  const behind = (id: string, epoch: number) => {
    const { reports } = allUpToDate(ids, epoch, 1e6);
    return new Map(reports).set(id, {
      epoch: epoch - 1,
      heardAtMs: 1e6,
      behindSinceMs: 1e6,
      filling: new Set(),
    });
  };
  const waits = (current: PlacementTable, change: Partial<StepInput>) => {
    const { result } = step(current, after, change);
    assert.equal(result.kind, 'wait');
    return result.kind === 'wait' ? result.waiting : [];
  };

  it('waits for every member, also one that holds nothing, to write to both', () => {
    assert.deepEqual(waits(started, { reports: behind(ids[4]!, started.epoch) }), [
      { phase: 'write-both-read-old', reason: 'acknowledgement', groups: 1, members: [ids[4]] },
    ]);
  });

  it('waits for the new holders to be full', () => {
    const { reports } = allUpToDate(ids, copying.epoch, 1e6);
    const filling = new Map(reports).set(ids[3]!, {
      epoch: copying.epoch,
      heardAtMs: 1e6,
      filling: new Set([group]),
    });
    assert.deepEqual(waits(copying, { reports: filling }), [
      { phase: 'copy', reason: 'filling', groups: 1, members: [ids[3]] },
    ]);
    filling.set(ids[3]!, { epoch: copying.epoch, heardAtMs: 1e6, filling: 'unknown' as never });
    assert.equal(waits(copying, { reports: filling })[0]!.reason, 'filling');
  });

  it('waits for plans of the old list to expire, counted from when all had applied the new one', () => {
    assert.equal(waits(readNew, { appliedSinceMs: () => undefined })[0]!.reason, 'old plans');
    assert.equal(waits(readNew, { appliedSinceMs: () => 1e6 - 299_000 })[0]!.reason, 'old plans');
    const { table } = step(readNew, after, { appliedSinceMs: () => 1e6 - 300_000 });
    assert.equal(move(table, 0)!.phase, 'clean-up');
  });

  it('does not wait for a silent member, nor for one that is heard and does not follow', () => {
    const { reports } = allUpToDate(ids, started.epoch, 1e6);
    const silent = new Map(reports).set(ids[4]!, { epoch: 1, heardAtMs: 1e6 - 15_001, filling: new Set() });
    assert.equal(move(step(started, after, { reports: silent }).table, 0)!.phase, 'copy');
    silent.set(ids[4]!, {
      epoch: 1,
      heardAtMs: 1e6,
      behindSinceMs: 1e6 - 30_001,
      filling: new Set(),
    } as never);
    assert.equal(move(step(started, after, { reports: silent }).table, 0)!.phase, 'copy');
  });

  it('does not go on when most members are silent: it is this side that is cut off', () => {
    const { reports } = allUpToDate(ids.slice(0, 2), started.epoch, 1e6);
    const { result } = step(started, after, { reports });
    assert.deepEqual(result, { kind: 'wait', reason: 'cut off', waiting: [] });
  });

  it('does not go on without a live copy of the old list', () => {
    const { reports } = allUpToDate([3, 4].map(memberId), started.epoch, 1e6);
    const dead = new Set([0, 1, 2].map(memberId));
    // Nobody else could be appointed: the target keeps the list.
    const { result } = step(started, after, { reports, dead });
    assert.ok(result.kind === 'wait' || (result.kind === 'step' && result.changes.advanced === 0));
  });

  it('does not go on while it is paused', () => {
    assert.deepEqual(step(started, after, { paused: true }).result, {
      kind: 'wait',
      reason: 'paused',
      waiting: [],
    });
  });
});

describe('a target that changes on the way', () => {
  const before = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(0, 1, 2)) });
  const there = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(0, 3, 4)) });
  const else_ = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(0, 1, 3)) });
  const at = (steps: number) => {
    let table = before;
    for (let i = 0; i < steps; i++) table = step(table, there).table;
    return table;
  };

  it('turns back before the new list was read', () => {
    for (const steps of [1, 2]) {
      const { table } = step(at(steps), before);
      assert.equal(move(table, 0)!.phase, 'write-both-read-new');
      assert.deepEqual(table.locate(keyOf(0)).members, [0, 1, 2]);
      assert.deepEqual(move(table, 0)!.from.members, [0, 3, 4]);
      assert.deepEqual(holdersOf(arrive(table, before).at(-1)!, 0), [0, 1, 2].map(memberId));
    }
  });

  it('sets out anew from the list that is read, or goes there after it arrived', () => {
    for (const steps of [1, 2]) {
      const { table } = step(at(steps), else_);
      assert.equal(move(table, 0)!.phase, 'write-both-read-old');
      assert.deepEqual(move(table, 0)!.from.members, [0, 1, 2]);
      assert.deepEqual(table.locate(keyOf(0)).members, [0, 1, 3]);
    }
    for (const steps of [3, 4]) {
      const tables = arrive(at(steps), else_);
      assert.deepEqual(holdersOf(tables.at(-1)!, 0), [0, 1, 3].map(memberId));
      assert.ok(
        tables.some((table) => move(table, 0) === undefined && holdersOf(table, 0)[1] === memberId(3)),
      );
    }
  });

  it('may take some accounts of a moving group one way and others another', () => {
    const split = smallTable({
      members: MEMBERS,
      accounts: accounts(8, (i) => (i < 3 ? list(0, 3, 4) : i < 6 ? list(0, 1, 2) : list(0, 1, 4))),
    });
    const { table } = step(at(1), split);
    assert.deepEqual(
      [0, 3, 6].map((i) => move(table, i)!.phase),
      ['copy', 'write-both-read-new', 'write-both-read-old'],
    );
    const last = arrive(table, split).at(-1)!;
    assert.deepEqual(holdersOf(last, 7), [0, 1, 4].map(memberId));
  });
});

describe('a member that is dead', () => {
  const before = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(0, 1, 2)) });
  const dead = new Set([memberId(0)]);
  const reports = (epoch: number) => {
    const all = new Map(allUpToDate(ids, epoch, 1e6).reports);
    all.delete(memberId(0));
    return all;
  };

  it('is replaced: live copies in their order, then one that is appointed', () => {
    let table = before;
    for (let i = 0; i < 12; i++) table = step(table, before, { dead, reports: reports(table.epoch) }).table;
    const held = holdersOf(table, 0);
    assert.deepEqual(held.slice(0, 2), [1, 2].map(memberId));
    assert.ok([3, 4].map(memberId).includes(held[2]!));
    assert.equal(move(table, 0), undefined);
    const settled = step(table, before, { dead, reports: reports(table.epoch) });
    assert.equal(settled.result.kind, 'done', 'who was appointed stays');
    // It comes back: the target has it, so the group goes back to it in the same way.
    assert.deepEqual(holdersOf(arrive(table, before).at(-1)!, 0), [0, 1, 2].map(memberId));
  });

  it('is replaced from the old list when it dies on the way', () => {
    const target = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(0, 3, 4)) });
    const policy = { ...allUpToDate([], 1, 1).policy };
    let table = smallTable({ members: MEMBERS, accounts: accounts(8, () => list(1, 2, 3)) });
    table = step(table, target, { policy }).table;
    for (let i = 0; i < 12; i++) table = step(table, target, { dead, reports: reports(table.epoch) }).table;
    assert.deepEqual(holdersOf(table, 0), [3, 4, 1].map(memberId));
  });

  it('whose group has no other copy and who left for good gives the group up', () => {
    const alone = smallTable({
      members: [0, 1, 2, 3],
      accounts: accounts(4, () => list(0)),
      slots: list(1, 2),
    });
    const target = smallTable({
      members: [1, 2, 3],
      accounts: accounts(4, () => list(0, 1)),
      slots: list(0, 1),
    });
    const { table } = step(alone, target, { reports: reports(1), dead });
    assert.deepEqual(holdersOf(table, 0), [1, 2].map(memberId));
    assert.equal(table.memberIndex(memberId(0)), undefined);
  });
});

describe('waves', () => {
  const before = smallTable({
    members: MEMBERS,
    accounts: accounts(60, (i) => (i < 30 ? list(0, 1) : list(1, 2))),
  });
  const after = smallTable({ members: MEMBERS, accounts: accounts(60, () => list(3, 4)) });
  const policy = { ...allUpToDate([], 1, 1).policy, accountsPerMemberMax: 10 };

  it('start no more at a time than a member may fill, and come to the end', () => {
    const tables = arrive(before, after, { policy });
    for (const table of tables) {
      const moving = Array.from({ length: 60 }, (_, i) => move(table, i)).filter(
        (m) => m && (m.phase === 'write-both-read-old' || m.phase === 'copy'),
      );
      assert.ok(moving.length <= 10, `${moving.length} accounts at a time`);
    }
    assert.deepEqual(holdersOf(tables.at(-1)!, 59), [3, 4].map(memberId));
  });

  it('let hubs wait until it is quiet, but not for ever', () => {
    const hub = { ...list(0, 1), hub: true };
    const busy = smallTable({ members: MEMBERS, accounts: new Map([[0, hub]]) });
    const target = smallTable({ members: MEMBERS, accounts: new Map([[0, { ...list(3, 4), hub: true }]]) });
    const { result } = step(busy, target, { quiet: false, targetSinceMs: 1e6 - 1000 });
    assert.deepEqual(result, {
      kind: 'wait',
      reason: 'moves',
      waiting: [{ phase: 'start', reason: 'quiet', groups: 1, members: [] }],
    });
    const late = step(busy, target, { quiet: false, targetSinceMs: 1e6 - policy.hubWaitMs });
    assert.equal(late.result.kind, 'step');
  });
});

describe('any tables', () => {
  const lists = fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }).map((members) => list(...members));
  const tables = fc.record({
    slots: lists,
    accounts: fc.array(fc.tuple(fc.nat(14), lists), { maxLength: 12 }).map((pairs) => new Map(pairs)),
  });

  it('lead to each other by legal steps, with any delays and changes of mind', () => {
    fc.assert(
      fc.property(
        tables,
        fc.array(tables, { minLength: 1, maxLength: 3 }),
        fc.array(
          fc.record({ member: fc.nat(4), lag: fc.boolean(), fills: fc.boolean(), dead: fc.boolean() }),
          {
            maxLength: 8,
          },
        ),
        (from, targets, troubles) => {
          let current = smallTable({ members: MEMBERS, ...from });
          const policy = { ...allUpToDate([], 1, 1).policy, groupsMax: 5000, accountsPerMemberMax: 20_000 };
          const made = targets.map((target) => smallTable({ members: MEMBERS, ...target }));
          troubles.forEach(({ member, lag, fills, dead }, i) => {
            const reports = new Map(allUpToDate(ids, current.epoch, 1e6).reports);
            reports.set(memberId(member), {
              epoch: lag ? current.epoch - 1 : current.epoch,
              heardAtMs: 1e6,
              filling: fills ? new Set(current.moves().map(({ group }) => group)) : new Set(),
            });
            current = step(current, made[i % made.length]!, {
              reports,
              policy,
              dead: new Set(dead ? [memberId(member)] : []),
            }).table;
          });
          const target = made.at(-1)!;
          const last = arrive(current, target, { policy }).at(-1)!;
          for (let i = 0; i < 16; i++) assert.deepEqual(holdersOf(last, i), holdersOf(target, i));
          assert.equal(last.moves().length, 0);
        },
      ),
      { numRuns: 15 },
    );
  });
});
