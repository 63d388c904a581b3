import { parseArgs } from 'node:util';
import type { NostrEvent } from '@covey/nostr';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, until } from '../integration/relay-fixture.ts';

/**
 * Amplification: events that members send each other for one event that a client of today reads at whatever member it
 * happens to be connected to. Real members in this process; accounts live in groups on three of them; each client reads
 * the stored events of all whom it follows, then stays for new ones. `redirected` is what clients that understand
 * placement cost: they read each account where it lives.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      members: { type: 'string', default: '5,20,50' },
      accounts: { type: 'string', default: '200' },
      clients: { type: 'string', default: '40' },
      follows: { type: 'string', default: '50' },
    },
  });
  const results = [];
  for (const members of values.members.split(',').map(Number)) {
    const figures = await measure({
      members,
      accounts: Number(values.accounts),
      clients: Number(values.clients),
      follows: Number(values.follows),
    });
    results.push({ members, ...figures });
    console.error(`${members} members measured`);
  }
  console.log(JSON.stringify(results, null, 2));
}

interface Size {
  members: number;
  accounts: number;
  clients: number;
  follows: number;
}

const NOTES = 5;
const LIVE = 60;
/** All members share one thread: more than this would wait longer for OK than a client does. */
const WRITTEN_AT_ONCE = 40;

async function measure({ members, accounts, clients, follows }: Size) {
  let state = 11;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const cluster = await TestCluster.make(members);
  const signers = Array.from({ length: accounts }, () => newSigner());
  const home = (account: number) => [0, 1, 2].map((step) => (account + step) % members);
  await cluster.startAll({ verifyThreads: 0 });
  cluster.place(signers.map(({ pubkey }, i) => ({ members: home(i), accounts: [pubkey] })));
  const relays = () => cluster.members.map(({ relay }) => relay!);
  // Members that fill, or think another dead, ask more of each other than they do from then on.
  await until(
    'members that know each other alive',
    () => relays().every((relay) => relay.clusterField().verdicts === undefined),
    180_000,
  );
  await until('copies that are full', async () => (await fillingGroups(cluster)) === 0, 120_000);

  const now = Math.floor(Date.now() / 1000);
  const writers = await Promise.all(cluster.members.map(({ url }) => WireClient.open(url)));
  for (let n = 0; n < NOTES; n++)
    for (let first = 0; first < accounts; first += WRITTEN_AT_ONCE)
      await Promise.all(
        signers.slice(first, first + WRITTEN_AT_ONCE).map((signer, i) => {
          const event = signer.sign({ content: `note ${n}`, created_at: now - 100 + n });
          return writers[home(first + i)[0]!]!.publish(event);
        }),
      );
  await until('all copies', () => relays().every((relay) => relay.load().spooled === 0), 60_000);
  const sent = () => relays().reduce((sum, { metrics }) => sum + metrics.sentEvents, 0);

  // Clients of today, each at some member.
  const readers = await Promise.all(
    Array.from({ length: clients }, async () => ({
      client: await WireClient.open(cluster.members[random(members)]!.url),
      follows: [...new Set(Array.from({ length: follows }, () => random(accounts)))],
    })),
  );
  const received = () =>
    readers.reduce((sum, { client }) => sum + client.frames.filter((f) => f[0] === 'EVENT').length, 0);
  const beforeStored = sent();
  // One after the other: what is measured is events, and not how fast one machine runs all these members.
  for (const { client, follows } of readers) {
    client.send('REQ', 'home', { authors: follows.map((i) => signers[i]!.pubkey), limit: 500 });
    await client.wait('EOSE', (f) => f[0] === 'EOSE', 60_000);
  }
  const storedRead = received();
  const storedExchanged = sent() - beforeStored - storedRead;
  const missed = readers.filter(
    ({ client, follows }) => client.frames.filter((f) => f[0] === 'EVENT').length < NOTES * follows.length,
  ).length;

  const beforeLive = sent();
  const live = Array.from({ length: LIVE }, () => random(accounts));
  const expected = live.reduce(
    (sum, account) => sum + readers.filter(({ follows }) => follows.includes(account)).length,
    0,
  );
  await Promise.all(
    live.map((account, n) =>
      writers[home(account)[0]!]!.publish(signers[account]!.sign({ content: `live ${n}` })),
    ),
  );
  await until('all new events', () => received() - storedRead >= expected, 60_000);
  const liveRead = received() - storedRead;
  const liveExchanged = sent() - beforeLive - liveRead;

  // The same readers, had they understood placement: each account at its master.
  const beforeRedirected = sent();
  let redirectedRead = 0;
  for (const { follows } of readers) {
    const byMember = new Map<number, string[]>();
    for (const i of follows) {
      const member = home(i)[0]!;
      byMember.set(member, [...(byMember.get(member) ?? []), signers[i]!.pubkey]);
    }
    for (const [member, authors] of byMember) {
      const client = await WireClient.open(cluster.members[member]!.url);
      client.send('COVEY', { version: 1 });
      const { events } = await client.read({ authors, limit: 500 });
      redirectedRead += new Set(events.map((event: NostrEvent) => event.id)).size;
      client.close();
    }
  }
  const redirectedExchanged = sent() - beforeRedirected - redirectedRead;
  for (const client of [...writers, ...readers.map(({ client }) => client)]) client.close();
  await cluster.stop();
  return {
    accounts,
    clients,
    follows,
    clientsThatMissedSomething: missed,
    stored: {
      read: storedRead,
      exchanged: storedExchanged,
      perEventRead: ratio(storedExchanged, storedRead),
    },
    live: { read: liveRead, exchanged: liveExchanged, perEventRead: ratio(liveExchanged, liveRead) },
    redirected: {
      read: redirectedRead,
      exchanged: redirectedExchanged,
      perEventRead: ratio(redirectedExchanged, redirectedRead),
    },
  };
}

async function fillingGroups(cluster: TestCluster): Promise<number> {
  const counts = await Promise.all(
    cluster.members.map(async ({ port }) => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(/^covey_relay_filling_groups (\d+)/m.exec(text)?.[1]);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

const ratio = (part: number, whole: number): number => Math.round((part / whole) * 1000) / 1000;

if (import.meta.main) await run(process.argv.slice(2));
