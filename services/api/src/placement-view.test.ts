import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlacementView } from './placement-view.ts';
import { clusterFixture } from './testing/cluster-fixture.ts';

test('while a member is dead, answers and plans name those that act for it', () => {
  const current = clusterFixture({ members: 5 });
  const pubkey = current.pubkeys[0]!;
  const key = Buffer.from(pubkey, 'hex');
  const { members } = current.table;
  const dead = new PlacementView(current, {
    returning: [],
    dead: [members[0]!.id],
    absent: [],
    majority: true,
  });
  assert.deepEqual(new PlacementView(current).holders(key), [0, 1, 2]);
  assert.deepEqual(dead.holders(key), [1, 2]);
  const answer = JSON.parse(dead.placementJson(pubkey, key));
  assert.deepEqual(answer.now, {
    write: [members[1]!.url, members[2]!.url],
    read: [members[1]!.url, members[2]!.url],
  });
  assert.equal(answer.master.id, members[0]!.id, 'the table says on whose behalf');
  const elsewhere = current.pubkeys[20]!; // its group does not have the dead one
  assert.equal(JSON.parse(dead.placementJson(elsewhere, Buffer.from(elsewhere, 'hex'))).now, undefined);
});
