import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainAccount } from './explain-account.ts';
import { PlacementView } from './placement-view.ts';
import { clusterFixture, fixturePubkey } from './testing/cluster-fixture.ts';
import { explanationsFixture, reportFixture } from './testing/report-fixture.ts';

const fixture = clusterFixture({ hub: true });
const view = new PlacementView(fixture);
const report = reportFixture(fixture);
const stored = explanationsFixture(fixture);
const newest = { epoch: 1, report };
const { members } = fixture.table;

test('a hub that would be better elsewhere, on a member that is not busy', () => {
  const account = explainAccount(fixture.pubkeys[0]!, view, newest, stored[0]);
  assert.deepEqual(
    account.holders.map(({ name, role, readers, needed }) => [name, role, readers, needed]),
    [
      ['Alder', 'master', 40, 5],
      ['Birch', 'replica', 33, 6],
      ['Cedar', 'replica', 26, 7],
      ['Dogwood', 'read copy', 19, 8],
    ],
  );
  assert.deepEqual(account.community, { id: 0, label: 'Ada' });
  assert.equal(account.hub, true);
  assert.deepEqual(account.alternatives[0], {
    from: { id: members[0]!.id, name: 'Alder', url: members[0]!.url },
    to: { id: members[4]!.id, name: 'Elm', url: members[4]!.url },
    relays: -2,
    fanout: -2 / 300,
    connections: 1.2000000000000002,
    reads: 0.5999999999999999,
  });
  assert.deepEqual(account.why, [
    'It is in the community of Ada and has 900 followers; 40 of the 300 readers looked at follow it.',
    'They have these of its members open: Alder (40), Birch (33), Cedar (26), Dogwood (19).',
    'It is a hub: read copies stand near its readers beside the write copies.',
    'With its copy at Alder on Elm instead, its readers would open 2 relays fewer in all; Elm has 1.20 of the mean connections and 0.60 of the mean reads, and the search did not find or keep that move.',
  ]);
  const busy = { ...report, members: report.members.map((member) => ({ ...member, connections: 1.9 })) };
  const { why } = explainAccount(fixture.pubkeys[0]!, view, { epoch: 1, report: busy }, stored[0]);
  assert.match(why.at(-1)!, /so load decided\.$/);
});

test('nowhere better; a pin that the table does not keep', () => {
  const account = explainAccount(fixture.pubkeys[3]!, view, newest, {
    ...stored[3]!,
    alternatives: [{ from: 0, to: 4, relays: 6 }],
  });
  assert.match(account.why.at(-1)!, /6 relays more in all: nowhere is better\.$/);
  assert.deepEqual(
    account.pins.map(({ name, hard }) => [name, hard]),
    [
      ['Alder', false],
      ['Elm', false],
    ],
  );
  assert.match(account.why[0]!, /^It also names Alder: not kept, as the quota of pins/);
});

test('an account that no group lists lives by the hash of its key', () => {
  const stranger = fixturePubkey(1_000_000);
  const account = explainAccount(stranger, view, newest, undefined);
  assert.equal(account.source, 'slot');
  assert.equal(account.community, null);
  assert.deepEqual(account.alternatives, []);
  assert.match(account.why[0]!, /hash of its key decides: no reader that counts/);
  const equal = explainAccount(stranger, view, { epoch: 1, report: { ...report, trust: null } }, undefined);
  assert.match(equal.why[0]!, /the follow graph of the last placement does not have it/);
});

test('members that left since are said to have left', () => {
  const before = {
    ...report,
    members: report.members.map((member, i) => (i === 4 ? { ...member, id: 'e'.repeat(64) } : member)),
  };
  const account = explainAccount(fixture.pubkeys[3]!, view, { epoch: 1, report: before }, stored[3]);
  assert.equal(account.alternatives[0]!.to.name, 'no longer a member');
  assert.match(account.pins[1]!.reason, /left the cluster/);
});
