/**
 * Members to put another project's relay tests to: `node test/conformance/serve.ts` prints three URLs and serves them until
 * Ctrl-C: one that follows no table, one that holds every account, and one that holds none (what it is asked, and what is
 * written there, goes to the one that does).
 */
import { TestCluster } from '../integration/relay-fixture.ts';

const alone = await TestCluster.make(1);
await alone.startAll({ authKinds: [1059] });
const cluster = await TestCluster.make(2);
await cluster.startAll({ authKinds: [1059] });
cluster.place([]); // every account is unlisted: its slot, at the first member
console.log(`no table: ${alone.members[0]!.url}`);
console.log(`holder: ${cluster.members[0]!.url}`);
console.log(`elsewhere: ${cluster.members[1]!.url}`);
process.once('SIGINT', async () => {
  await Promise.all([alone.stop(), cluster.stop()]);
  process.exit(0);
});
