import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PRICE_ONE } from '@covey/placement';
import { MemberPrices } from './member-prices.ts';
import { MemberStates } from './member-states.ts';
import { fixtureMembers } from './testing/cluster-fixture.ts';

test('all equal until a period of loads was heard; then the busy one for its capacity costs more', () => {
  let nowMs = 0;
  const states = new MemberStates(() => nowMs);
  const members = fixtureMembers(4).map((member, i) => ({
    ...member,
    capacity: { copies: 1, connections: i === 3 ? 4 : 1, reads: i === 2 ? 0 : 1 },
  }));
  states.retain(members.map(({ id }) => id));
  const prices = new MemberPrices(states);
  prices.retain(members);
  const open = () => members.map(({ id }) => prices.of(id).open);
  const beat = (sequence: number) =>
    members.slice(1).forEach(({ id }, i) => {
      states.heartbeat({
        member: id,
        startedAtMs: 1,
        sequence,
        epoch: 1,
        software: 'covey',
        load: {
          connections: i === 0 ? 300 : 100,
          subscriptions: 0,
          events: 0,
          bytes: 0,
          writesPerSecond: 0,
          readsPerSecond: 10 * i,
          spooled: 0,
        },
      });
    });
  for (let sample = 1; sample < 60; sample++) {
    nowMs += 1000;
    beat(sample);
    prices.sample();
  }
  assert.deepEqual(open(), Array(4).fill(PRICE_ONE));
  beat(60);
  prices.sample();
  const [silent, busy, usual, large] = open();
  assert.equal(silent, PRICE_ONE);
  assert.ok(busy! > PRICE_ONE && usual! < PRICE_ONE && large! < usual!, `${open()}`);
  assert.equal(prices.of(members[2]!.id).read, PRICE_ONE, 'declares no reads');
  assert.ok(prices.of(members[3]!.id).read > prices.of(members[1]!.id).read);

  prices.retain(members.slice(1, 3));
  assert.equal(prices.of(members[1]!.id).open, busy);
  assert.equal(prices.of(members[3]!.id).open, PRICE_ONE);
});
