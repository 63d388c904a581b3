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

  for (const check of CHECKS)
    it(`NIP-${String(check.nip).padStart(2, '0')} ${check.it}`, () =>
      runCheck(check, cluster.members[0]!.url));
});
