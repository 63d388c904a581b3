import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ProcessCluster } from '../chaos/process-cluster.ts';
import { newSigner } from '../conformance/signer.ts';
import { Churn } from './churn-load.ts';

/**
 * An hour in the life of a member: three members as processes, clients that come and go, slow readers, forged events, one
 * member that is killed and comes back every few minutes. Memory of the two that stay is read from their `/metrics`. It is
 * steady when the lowest heap of the last quarter is no more than a quarter above that of the second, when everything that
 * fills up once has filled up (samples between collections differ by so much).
 */
const MEMBERS = 3;
const RESTARTED = 2;

interface Sample {
  minute: number;
  member: number;
  rssMb: number;
  heapMb: number;
  externalMb: number;
  connections: number;
  subscriptions: number;
  events: number;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '60' },
      clients: { type: 'string', default: '60' },
      events: { type: 'string', default: '25' },
      'restart-minutes': { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
    },
  });
  const minutes = Number(values.minutes);
  const authors = Array.from({ length: 200 }, () => newSigner());
  const groups = Array.from({ length: 20 }, (_, g) => ({
    members: [0, 1, 2].map((n) => (g + n) % MEMBERS),
    accounts: authors.filter((_, i) => i % 20 === g).map(({ pubkey }) => pubkey),
  }));
  const cluster = await ProcessCluster.make(MEMBERS, groups, { COVEY_AUTH_KINDS: 'none' });
  const samples: Sample[] = [];
  const startMs = Date.now();
  let restarts = 0;
  try {
    for (let i = 0; i < MEMBERS; i++) await cluster.start(i);
    const churn = new Churn({
      urls: cluster.urls,
      authors,
      clients: Number(values.clients),
      eventsPerSecond: Number(values.events),
      random: mulberry(Number(values.seed)),
    });
    const everyMs = Math.min(30_000, (minutes * 60_000) / 20);
    let restartAtMs = startMs + Number(values['restart-minutes']) * 60_000;
    for (let minute = 0; minute < minutes; ) {
      await delay(everyMs);
      minute = Math.round((Date.now() - startMs) / 600) / 100;
      for (const member of [0, 1]) samples.push(await sample(cluster, member, minute));
      console.error(JSON.stringify(samples.at(-1)));
      if (Date.now() < restartAtMs) continue;
      restartAtMs = Date.now() + Number(values['restart-minutes']) * 60_000;
      await cluster.kill(RESTARTED);
      await cluster.start(RESTARTED);
      restarts++;
    }
    await churn.stop();
    console.log(
      JSON.stringify({ minutes, restarts, ...churn.counts, members: [0, 1].map(summary) }, null, 2),
    );
  } finally {
    await cluster.stop();
  }

  function summary(member: number) {
    const own = samples.filter((one) => one.member === member);
    const quarter = (n: number) =>
      own.slice(Math.floor((own.length * n) / 4), Math.floor((own.length * (n + 1)) / 4));
    const lowest = (n: number, of: 'heapMb' | 'rssMb') => Math.min(...quarter(n).map((one) => one[of]));
    return {
      heapMbLowest: [0, 1, 2, 3].map((n) => lowest(n, 'heapMb')),
      rssMbLowest: [0, 1, 2, 3].map((n) => lowest(n, 'rssMb')),
      rssMbHighest: Math.max(...own.map(({ rssMb }) => rssMb)),
      steady: lowest(3, 'heapMb') <= 1.25 * lowest(1, 'heapMb'),
    };
  }
}

async function sample(cluster: ProcessCluster, member: number, minute: number): Promise<Sample> {
  const metric = (name: string) => cluster.metric(member, name);
  const mb = async (name: string) => Math.round((await metric(name)) / 1024 ** 2);
  return {
    minute,
    member,
    rssMb: await mb('process_resident_memory_bytes'),
    heapMb: await mb('nodejs_heap_size_used_bytes'),
    externalMb: await mb('nodejs_external_memory_bytes'),
    connections: await metric('covey_relay_connections'),
    subscriptions: await metric('covey_relay_subscriptions'),
    events: await metric('covey_relay_events'),
  };
}

/** Numbers from 0 up to, not including, 1, the same for the same seed. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (import.meta.main) await run(process.argv.slice(2));
