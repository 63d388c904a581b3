import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ack, Heartbeat } from '@covey/protocol';
import { LATE_MS_MAX, MemberStates, UP_MS_MAX } from './member-states.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const load = {
  connections: 1,
  subscriptions: 0,
  events: 0,
  bytes: 0,
  writesPerSecond: 0,
  readsPerSecond: 0,
  spooled: 0,
};
const beat = (fields: Partial<Heartbeat> = {}): Heartbeat => ({
  member: A,
  startedAtMs: 100,
  sequence: 1,
  epoch: 1,
  software: 'covey',
  load,
  ...fields,
});
const ack = (fields: Partial<Ack> = {}): Ack => ({
  member: A,
  epoch: 2,
  root: '0'.repeat(64),
  atMs: 5,
  ...fields,
});

function start() {
  const now = { ms: 1_000_000 };
  const states = new MemberStates(() => now.ms);
  states.retain([A, B]);
  states.listening(true);
  return { now, states };
}

test('up, late, down by the age of the last heartbeat', () => {
  const { now, states } = start();
  states.heartbeat(beat());
  assert.equal(states.report(A).state, 'up');
  now.ms += UP_MS_MAX;
  assert.equal(states.report(A).state, 'up');
  now.ms += 1;
  assert.equal(states.report(A).state, 'late');
  assert.equal(states.report(A).silentMs, UP_MS_MAX + 1);
  now.ms += LATE_MS_MAX;
  assert.equal(states.report(A).state, 'down');
  states.heartbeat(beat({ sequence: 2 }));
  assert.equal(states.report(A).state, 'up');
});

test('a member that was never heard is unknown at first, then down', () => {
  const { now, states } = start();
  assert.equal(states.report(B).state, 'unknown');
  now.ms += LATE_MS_MAX + 1;
  assert.equal(states.report(B).state, 'down');
});

test('while nothing can be heard, silence says nothing; afterwards it counts from the reconnect', () => {
  const { now, states } = start();
  states.heartbeat(beat());
  states.listening(false);
  now.ms += LATE_MS_MAX * 2;
  assert.equal(states.report(A).state, 'unknown');
  states.listening(true);
  assert.equal(states.report(A).state, 'unknown');
  now.ms += LATE_MS_MAX + 1;
  assert.equal(states.report(A).state, 'down');
});

test('a late message of an earlier process, or out of order, changes nothing', () => {
  const { states } = start();
  states.heartbeat(beat({ sequence: 5, epoch: 3 }));
  states.heartbeat(beat({ sequence: 4, epoch: 2 }));
  states.heartbeat(beat({ startedAtMs: 50, sequence: 9, epoch: 1 }));
  assert.equal(states.report(A).appliedEpoch, 3);
  states.heartbeat(beat({ startedAtMs: 200, sequence: 1, epoch: 0 }));
  assert.equal(states.report(A).appliedEpoch, 0);
});

test('acknowledgements tell the epoch; a refusal stays until that epoch is applied', () => {
  const { states } = start();
  states.ack(ack());
  assert.equal(states.report(A).appliedEpoch, 2);
  states.ack(ack({ epoch: 3, atMs: 6, error: 'bad root', lastGoodEpoch: 2 }));
  assert.deepEqual(states.report(A).refused, { epoch: 3, reason: 'bad root' });
  assert.equal(states.report(A).appliedEpoch, 2);
  states.ack(ack({ epoch: 1, atMs: 4 }));
  assert.equal(states.report(A).appliedEpoch, 2, 'an older acknowledgement');
  states.heartbeat(beat({ epoch: 2 }));
  assert.ok(states.report(A).refused);
  states.heartbeat(beat({ sequence: 2, epoch: 3 }));
  assert.equal(states.report(A).refused, null);
});

test('a stored acknowledgement stands only where nothing was heard live', () => {
  const { states } = start();
  states.storedAck(ack({ epoch: 7 }));
  assert.equal(states.report(A).appliedEpoch, 7);
  states.heartbeat(beat({ member: B, epoch: 9 }));
  states.storedAck(ack({ member: B, epoch: 7 }));
  assert.equal(states.report(B).appliedEpoch, 9);
});

test('strangers are not kept, and members that left are forgotten', () => {
  const { states } = start();
  const stranger = 'c'.repeat(64);
  states.heartbeat(beat({ member: stranger }));
  states.heartbeat(beat());
  states.retain([B, stranger]);
  assert.equal(states.report(stranger).load, null);
  states.retain([A, B]);
  assert.equal(states.report(A).load, null);
});

test('a member stands as most of those that are heard say, and who listens is told when that changes', () => {
  const { now, states } = start();
  const C = 'c'.repeat(64);
  states.retain([A, B, C]);
  let changes = 0;
  states.onVerdicts(() => changes++);
  const verdicts = { suspect: [], returning: [], dead: [C], absent: [], majority: true };
  assert.equal(states.report(C).standing, null, 'nobody was heard');
  states.heartbeat(beat({ verdicts }));
  assert.equal(states.report(C).standing, null, 'one of three is not enough');
  states.heartbeat(beat({ member: B, verdicts }));
  assert.equal(states.report(C).standing, 'dead');
  assert.equal(states.report(A).standing, 'alive');
  assert.deepEqual(states.verdicts()?.dead, [C]);
  assert.equal(changes, 1);
  states.heartbeat(beat({ sequence: 2 }));
  states.heartbeat(beat({ member: B, sequence: 2 }));
  assert.equal(states.report(C).standing, 'alive');
  assert.equal(changes, 2);
  now.ms += UP_MS_MAX + 1;
  assert.equal(states.verdicts(), undefined);
});
