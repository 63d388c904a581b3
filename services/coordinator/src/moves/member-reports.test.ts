import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Heartbeat } from '@covey/protocol';
import { MemberReports } from './member-reports.ts';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
];
const ids = [A, B, C, D];

function beat(member: string, sequence: number, changes: Partial<Heartbeat> = {}): Heartbeat {
  return {
    member,
    startedAtMs: 1,
    sequence,
    epoch: 1,
    software: 'covey/0',
    load: {
      connections: 0,
      subscriptions: 0,
      events: 0,
      bytes: 100,
      writesPerSecond: 0,
      readsPerSecond: 0,
      spooled: 0,
    },
    filling: [],
    ...changes,
  };
}
const absent = (...names: string[]): Partial<Heartbeat> => ({
  verdicts: { suspect: [], returning: [], dead: [], absent: names, majority: true },
});

describe('what members say', () => {
  it('counts from when listening began for who was never heard', () => {
    const reports = new MemberReports(500);
    assert.deepEqual(reports.reports([A], 3, 900).get(A), { epoch: 0, heardAtMs: 500, filling: 'unknown' });
  });

  it('tells since when a member is behind, until it is not', () => {
    const reports = new MemberReports(0);
    reports.heartbeat(beat(A, 1, { epoch: 2 }), 100);
    assert.equal(reports.reports([A], 3, 150).get(A)!.behindSinceMs, 150);
    reports.heartbeat(beat(A, 2, { epoch: 2 }), 200);
    assert.equal(reports.reports([A], 4, 250).get(A)!.behindSinceMs, 150);
    reports.heartbeat(beat(A, 3, { epoch: 4 }), 300);
    assert.equal(reports.reports([A], 4, 350).get(A)!.behindSinceMs, undefined);
  });

  it('passes over what is late, and what an acknowledgement says of filling nothing', () => {
    const reports = new MemberReports(0);
    reports.heartbeat(beat(A, 5, { filling: [7] }), 100);
    reports.heartbeat(beat(A, 4, { filling: [] }), 110);
    assert.deepEqual(reports.reports([A], 1, 120).get(A)!.filling, new Set([7]));
    reports.ack({ member: A, epoch: 2, root: '0'.repeat(64), atMs: 1 });
    const { epoch, filling } = reports.reports([A], 2, 130).get(A)!;
    assert.deepEqual([epoch, filling], [2, 'unknown']);
    reports.heartbeat(beat(A, 6, { fillingMore: true }), 140);
    assert.equal(reports.reports([A], 2, 150).get(A)!.filling, 'unknown');
  });

  it('holds a member for dead when all that are heard do, and they are most', () => {
    const reports = new MemberReports(0);
    for (const id of [A, B]) reports.heartbeat(beat(id, 1, absent(D)), 100);
    assert.deepEqual(reports.dead(ids, 200, 1000), new Set([D]));
    reports.heartbeat(beat(C, 1), 200);
    assert.deepEqual(reports.dead(ids, 200, 1000), new Set(), 'one sees it');
    reports.heartbeat(beat(C, 2, absent(D)), 300);
    reports.heartbeat(beat(D, 1), 400);
    assert.deepEqual(reports.dead(ids, 400, 1000), new Set(), 'it speaks itself');
    assert.deepEqual(reports.dead(ids, 5000, 1000), new Set(), 'nobody is heard');
  });

  it('knows a quiet time from a busy one', () => {
    const reports = new MemberReports(0);
    const load = (events: number) => ({ load: { ...beat(A, 1).load, readsPerSecond: events } });
    reports.heartbeat(beat(A, 1, load(1000)), 100);
    assert.equal(reports.isQuiet(100), false);
    reports.heartbeat(beat(A, 2, load(400)), 200);
    assert.equal(reports.isQuiet(200), true);
    reports.heartbeat(beat(A, 3, load(800)), 300);
    assert.equal(reports.isQuiet(300), false);
  });
});
