import { after, before, describe, it } from 'node:test';
import { ALL_CHECKS } from '../conformance/all-checks.ts';
import { runCheck } from '../conformance/relay-checks.ts';
import { TestCluster } from './relay-fixture.ts';

describe('a member that asks for work', { timeout: 30_000 }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.make(1);
    await cluster.startAll({ powBitsMin: 10 });
  });
  after(() => cluster.stop());

  for (const check of ALL_CHECKS.filter(({ nip }) => nip === 13))
    it(`NIP-13 ${check.it}`, () => runCheck(check, cluster.members[0]!.url));
});

describe('a member passes the conformance checks', { timeout: 60_000 }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.make(2);
    await cluster.startAll({ authKinds: [1059] });
    // Every account of the checks is unlisted: its slot, at the first member.
    cluster.place([]);
  });
  after(() => cluster.stop());

  // Without a list of what was deleted, and with no right to pass on protected events, a member that does not hold an
  // account can do what it says of itself and all of NIP-01: who writes and reads there notices nothing.
  for (const check of ALL_CHECKS.filter(({ nip }) => [1, 2, 9, 11, 17, 40, 42, 45, 65].includes(nip)))
    it(`NIP-${String(check.nip).padStart(2, '0')} ${check.it}, where its account does not live`, () =>
      runCheck(check, cluster.members[1]!.url));

  for (const check of ALL_CHECKS.filter(({ nip }) => nip !== 13))
    it(`NIP-${String(check.nip).padStart(2, '0')} ${check.it}`, () =>
      runCheck(check, cluster.members[0]!.url));
});
