import { after, before, describe, it } from 'node:test';
import { CHECKS, runCheck } from '../conformance/relay-checks.ts';
import { TestCluster } from './relay-fixture.ts';

describe('a member passes the conformance checks', { timeout: 60_000 }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.make(2);
    await cluster.startAll();
    // Every account of the checks is unlisted: its slot, at the first member.
    cluster.place([]);
  });
  after(() => cluster.stop());

  // Without a list of what was deleted, and with no right to pass on protected events, a member that does not hold an
  // account can do what it says of itself and all of NIP-01: who writes and reads there notices nothing.
  for (const check of CHECKS.filter(({ nip }) => [1, 11, 40, 42].includes(nip)))
    it(`NIP-${String(check.nip).padStart(2, '0')} ${check.it}, where its account does not live`, () =>
      runCheck(check, cluster.members[1]!.url));

  for (const check of CHECKS)
    it(`NIP-${String(check.nip).padStart(2, '0')} ${check.it}`, () =>
      runCheck(check, cluster.members[0]!.url));
});
