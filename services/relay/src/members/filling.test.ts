import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Enforcer } from '@covey/enforcement';
import { ALL_ALIVE, type MemberVerdicts } from '@covey/liveness';
import type { MovePhase } from '@covey/table';
import { type FixtureGroup, fixtureTable } from '../../../../test/conformance/placement-fixture.ts';
import { Filling } from './filling.ts';

const MEMBERS = Array.from({ length: 6 }, (_, i) => ({
  id: (i + 1).toString(16).padStart(2, '0').repeat(32),
  url: `wss://m${i}.example`,
}));
const id = (i: number) => MEMBERS[i]!.id;
const alice = 'a1'.repeat(32);
const GROUP = 4096;
const everyone = () => true;

const tableOf = (group: Partial<FixtureGroup> = {}) =>
  fixtureTable({
    members: MEMBERS,
    groups: [{ members: [0, 1, 2], accounts: [alice], ...group }],
    slotMembers: [5],
  });
const verdicts = (lists: Partial<Record<'dead' | 'absent', number[]>>): MemberVerdicts => ({
  ...ALL_ALIVE,
  dead: (lists.dead ?? []).map(id),
  absent: (lists.absent ?? []).map(id),
});
const at = (i: number, table = tableOf(), known = ALL_ALIVE as MemberVerdicts) =>
  new Enforcer(table, id(i), 'forward', undefined, known);

describe('a member that was away', () => {
  it('has caught up when it took all from one that is full, or from all that can be reached', () => {
    for (const [full, members] of [
      [true, [1]],
      [false, [1, 2]],
    ] as const) {
      const filling = new Filling();
      let caughtUp = 0;
      filling.onCaughtUp = () => caughtUp++;
      filling.update(at(0));
      assert.equal(filling.missed, 1);
      for (const member of members) {
        assert.equal(caughtUp, 0);
        filling.taken(id(member), full, everyone, filling.begin());
      }
      assert.equal(filling.size, 0);
      assert.equal(caughtUp, 1);
    }
  });

  it('does not wait for what moves to it: that was never here', () => {
    const filling = new Filling();
    let caughtUp = 0;
    filling.onCaughtUp = () => caughtUp++;
    filling.update(
      at(3, tableOf({ members: [1, 2, 3], move: { phase: 'write-both-read-old', from: [0, 1, 2] } })),
    );
    assert.equal(filling.has(GROUP), true);
    assert.deepEqual([filling.missed, caughtUp], [0, 1]);
  });

  it('begins anew when it was away again', () => {
    const filling = new Filling();
    filling.update(at(0));
    const session = filling.begin();
    filling.restart();
    filling.taken(id(1), true, everyone, session);
    assert.equal(filling.missed, 1, 'what was compared before does not count');
    filling.taken(id(1), true, everyone, filling.begin());
    assert.equal(filling.missed, 0);
  });
});

describe('members that come back together', () => {
  it('each is full when all that live were asked: one that can not be reached yet is waited for', () => {
    const filling = new Filling();
    filling.update(at(0));
    filling.taken(id(1), false, everyone, filling.begin());
    filling.recheck(everyone);
    assert.equal(filling.has(GROUP), true, 'member 2 may have what nobody else brings');
    filling.recheck((member) => member !== id(2));
    assert.equal(filling.has(GROUP), false, 'it is dead');
  });
});

describe('a member that is appointed', () => {
  const table = tableOf();
  const absent = verdicts({ dead: [0, 1] });
  const [first, second] = [3, 4, 5].filter((i) =>
    at(i, table, absent)
      .held()
      .some((held) => held.appointed),
  );

  it('fills what a death gave it, and nothing else', () => {
    const filling = new Filling();
    filling.update(at(first!, table));
    assert.equal(filling.has(GROUP), false);
    assert.equal(filling.update(at(first!, table, absent)), false);
    assert.equal(filling.has(GROUP), true);
    assert.equal(filling.missed, 0);
    assert.equal(filling.update(at(first!, table)), true, 'it is given back');
    assert.equal(filling.has(GROUP), false);
  });

  it('asks every holder that it can reach: what is on its way to one may stand at another alone', () => {
    const oneLeft = verdicts({ dead: [0], absent: [0] });
    const appointed = [3, 4, 5].find((i) =>
      at(i, table, oneLeft)
        .held()
        .some((held) => held.appointed && held.group === GROUP),
    )!;
    const alive = (member: string) => member !== id(0);
    const filling = new Filling();
    filling.update(at(appointed, table));
    filling.update(at(appointed, table, oneLeft));
    filling.taken(id(1), true, alive, filling.begin());
    assert.equal(filling.has(GROUP), true, 'the other living holder was not asked');
    filling.taken(id(2), true, alive, filling.begin());
    assert.equal(filling.has(GROUP), false);
  });

  it('is not full by those alone that were appointed with it', () => {
    const filling = new Filling();
    filling.update(at(first!, table, absent));
    const alive = (member: string) => member === id(second!);
    filling.taken(id(second!), false, alive, filling.begin());
    assert.equal(filling.has(GROUP), true, 'no copy of the table was asked');
    filling.taken(id(2), false, alive, filling.begin());
    assert.equal(filling.has(GROUP), false);
  });
});

describe('a member that passed over epochs', () => {
  const later = (epochs: number, group: Partial<FixtureGroup>) =>
    fixtureTable({
      members: MEMBERS,
      groups: [{ members: [0, 1, 2], accounts: [alice], ...group }],
      slotMembers: [5],
      epoch: 1 + epochs,
    });
  const fills = (before: Partial<FixtureGroup>, epochs: number, now: Partial<FixtureGroup> = {}) => {
    const filling = new Filling();
    filling.update(at(0, tableOf(before)));
    for (const other of [1, 2]) filling.taken(id(other), false, everyone, filling.begin());
    if (filling.has(GROUP)) filling.taken(id(3), false, everyone, filling.begin());
    assert.equal(filling.has(GROUP), false, 'full before');
    filling.update(at(0, later(epochs, now)));
    return filling.has(GROUP);
  };
  const leaving = (phase: MovePhase) => ({ members: [1, 2, 3], move: { phase, from: [0, 1, 2] } });
  const coming = (phase: MovePhase) => ({ members: [0, 1, 2], move: { phase, from: [1, 2, 3] } });

  it('fills what may have left it and come back, and nothing else', () => {
    const cases: [string, Partial<FixtureGroup>, number][] = [
      ['rested', {}, 5],
      ['left, in phase 0', leaving('write-both-read-old'), 4],
      ['left, in phase 1', leaving('copy'), 3],
      ['left, in phase 2', leaving('write-both-read-new'), 2],
      ['came, in phase 1', coming('copy'), 1],
      ['came, in phase 2', coming('write-both-read-new'), 5],
    ];
    for (const [name, before, held] of cases) {
      assert.equal(fills(before, held), false, `${name}: ${held} epochs`);
      assert.equal(fills(before, held + 1), true, `${name}: ${held + 1} epochs`);
    }
  });
});
