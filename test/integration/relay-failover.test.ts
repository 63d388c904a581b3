import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type ClusterField, parseRedirect } from '@covey/protocol';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, type TestMember, until } from './relay-fixture.ts';

const alice = newSigner();
const clusters: TestCluster[] = [];
const clients: WireClient[] = [];
/** A majority is claimed soon after the start. */
const EAGER = { liveness: { settleMs: 3000, holdMsMin: 100 } };

async function start(members: number, changes = {}): Promise<TestCluster> {
  const cluster = await TestCluster.make(members, { slotMembers: [members - 1] });
  clusters.push(cluster);
  cluster.place([{ members: [0, 1, 2], accounts: [alice.pubkey] }]);
  await cluster.startAll(changes);
  await cluster.well();
  return cluster;
}

async function open(member: TestMember, announced = false): Promise<WireClient> {
  const client = await WireClient.open(member.url);
  clients.push(client);
  if (announced) {
    client.send('COVEY', { version: 1 });
    await client.wait('the cluster field', (f) => f[0] === 'COVEY');
  }
  return client;
}

/** Every member that runs holds exactly these dead or absent, and nobody catches up. */
const agreed = (cluster: TestCluster, dead: readonly number[]) =>
  until(
    `verdicts on ${dead}`,
    () => {
      for (const member of cluster.members.filter(({ relay }) => relay)) {
        const { verdicts } = member.relay!.clusterField();
        if (dead.length === 0 && verdicts === undefined) continue;
        const known = [...(verdicts?.dead ?? []), ...(verdicts?.absent ?? [])];
        if (known.length !== dead.length || (verdicts?.returning.length ?? 0) > 0) return false;
        if (!dead.every((i) => known.includes(cluster.members[i]!.key.pubkey))) return false;
      }
      return true;
    },
    30_000,
  );

interface Moved {
  epoch: number;
  verdicts?: ClusterField['verdicts'];
  accounts: { pubkeys: string[]; write: string[]; read: string[] }[];
}
const lastMoved = (client: WireClient): Moved | undefined =>
  client.frames.findLast((frame) => frame[0] === 'MOVED')?.[1] as Moved | undefined;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
});

describe('a master dies', { timeout: 120_000 }, () => {
  it('the next copy acts at once, those who read and write are told, and it comes back', async () => {
    const cluster = await start(5);
    const [master, replica, third, bystander] = cluster.members as TestMember[];
    const urls = (...members: (TestMember | undefined)[]) => members.map((member) => member!.url);
    const writer = await open(replica!, true);
    await writer.publish(alice.sign({ content: 'before' }));
    const waiting = await open(bystander!, true);

    await master!.stop();
    await agreed(cluster, [0]);
    // Who wrote her here is told where she is written now.
    await until('MOVED', () => lastMoved(writer)?.accounts[0]?.write[0] === replica!.url);
    const moved = lastMoved(writer)!;
    assert.deepEqual(moved.accounts[0], {
      pubkeys: [alice.pubkey],
      write: urls(replica, third),
      read: urls(replica, third),
    });
    assert.deepEqual(moved.verdicts?.dead, [master!.key.pubkey]);
    assert.equal(moved.epoch, 1);
    // Two copies, without a wait for the dead one; and redirects name the living.
    assert.deepEqual(await writer.publish(alice.sign({ content: 'during' })), [true, '']);
    const [, message] = await waiting.publish(alice.sign({ content: 'elsewhere' }));
    assert.deepEqual(parseRedirect(message), urls(replica, third));
    const today = await open(bystander!);
    const { events, notices, end } = await today.read({ authors: [alice.pubkey], kinds: [1] });
    assert.deepEqual([events.length, notices, end[2]], [2, [], ['finish']]);
    const ready = await (await fetch(`http://127.0.0.1:${bystander!.port}/readyz`)).text();
    assert.match(ready, /^ready; 1 members are dead/);

    await master!.start();
    await agreed(cluster, []);
    await until('MOVED back', () => lastMoved(writer)?.accounts[0]?.write[0] === master!.url);
    const { events: whole } = await (await open(master!)).read({ authors: [alice.pubkey], kinds: [1] });
    assert.equal(whole.length, 2, 'it caught up before it took its role');
  });
});

describe('more copies die', { timeout: 120_000 }, () => {
  it('the survivor acts, two are appointed, fill themselves, and go on when it dies too', async () => {
    const cluster = await start(7, EAGER);
    const before = Array.from({ length: 30 }, (_, i) => alice.sign({ content: String(i) }));
    const survivor = cluster.members[2]!;
    const client = await open(survivor);
    for (const event of before) assert.equal((await client.publish(event))[0], true);
    await Promise.all([cluster.members[0]!.stop(), cluster.members[1]!.stop()]);
    await agreed(cluster, [0, 1]);
    const acting = await until(
      'two more copies',
      async () => {
        const counts = await Promise.all(
          cluster.members.slice(3).map(async (member) => {
            const text = await member.relay!.metrics.registry.getSingleMetricAsString(
              'covey_relay_failover_groups',
            );
            return /role="appointed"} [1-9]/.test(text) && member.relay!.load().events >= before.length
              ? member
              : undefined;
          }),
        );
        const members = counts.filter((member) => member !== undefined);
        return members.length === 2 ? members : undefined;
      },
      30_000,
    );
    assert.deepEqual(await client.publish(alice.sign({ content: 'after' })), [true, '']);
    await until('the newest copy', () =>
      acting.every((member) => member.relay!.load().events > before.length),
    );
    await survivor.stop();
    await agreed(cluster, [0, 1, 2]);
    const { events, end, notices } = await (await open(cluster.members[6]!)).read({
      authors: [alice.pubkey],
      kinds: [1],
    });
    assert.deepEqual([events.length, notices, end[2]], [31, [], ['finish']]);
    assert.equal((await (await open(acting[0]!)).publish(alice.sign({ content: 'again' })))[0], true);
  });

  it('all of them: that is said, and never an empty feed', async () => {
    const cluster = await start(5);
    await (await open(cluster.members[0]!)).publish(alice.sign());
    await Promise.all([0, 1, 2].map((i) => cluster.members[i]!.stop()));
    await agreed(cluster, [0, 1, 2]);
    const today = await open(cluster.members[3]!);
    const { events, notices, end } = await today.read({ authors: [alice.pubkey], kinds: [1] });
    assert.equal(events.length, 0);
    assert.match(notices.join(), /could not be reached/);
    assert.deepEqual(end[2], ['more']);
    const announced = await open(cluster.members[3]!, true);
    const answer = await announced.read({ authors: [alice.pubkey], kinds: [1] });
    assert.equal(answer.end[0], 'CLOSED');
    assert.match(answer.end[2] as string, /^error: no relay that holds these accounts can be reached/);
    // What is written meanwhile waits, and is delivered.
    const waiting = alice.sign({ content: 'waits' });
    const [accepted, message] = await announced.publish(waiting);
    assert.equal(accepted, true);
    assert.match(message, /no holder has confirmed it yet/);
    await cluster.members[1]!.start();
    const back = await open(cluster.members[1]!);
    await until(
      'the delivery',
      async () => (await back.read({ ids: [waiting.id] })).events.length === 1,
      30_000,
    );
  });
});

it('probes are between members', async () => {
  const cluster = await start(3);
  const client = await open(cluster.members[0]!);
  client.send('COVEY-PROBE', 1, []);
  await client.wait('a refusal', (f) => f[0] === 'NOTICE' && /between members/.test(f[1] as string));
});
