/**
 * Failover of real processes, with no coordinator, NATS or PostgreSQL anywhere: members are killed with SIGKILL, one a round,
 * and a client that knows nothing but a bystander asks where to write until the acting master says OK with two copies.
 */
import { parseArgs } from 'node:util';
import { parseRedirect } from '@covey/protocol';
import { ProcessCluster } from '../chaos/process-cluster.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';

/** How often the client tries again. */
const TRY_MS = 20;
const ROUND_MS_MAX = 120_000;

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '20' },
      members: { type: 'string', default: '7' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(
      'npm run bench -- failover [--rounds 20] [--members 7]: SIGKILL of masters among so many processes',
    );
    return;
  }
  const count = Number(values.members);
  const authors = Array.from({ length: count }, () => newSigner());
  const cluster = await ProcessCluster.make(
    count,
    authors.map(({ pubkey }, i) => ({ members: [i, (i + 1) % count, (i + 2) % count], accounts: [pubkey] })),
  );
  const rounds: Round[] = [];
  try {
    await Promise.all(authors.map((_, i) => cluster.start(i)));
    for (let round = 0; round < Number(values.rounds); round++) {
      await until('members that are all well', () => cluster.well());
      const master = round % count;
      rounds.push(await failover(cluster, master, authors[master]!));
      console.error(`round ${round + 1}: ${JSON.stringify(rounds.at(-1))}`);
      await cluster.start(master);
    }
  } finally {
    await cluster.stop();
  }
  console.log(
    JSON.stringify({
      members: count,
      rounds: rounds.length,
      verdictMs: spread(rounds.map(({ verdictMs }) => verdictMs)),
      acknowledgedMs: spread(rounds.map(({ acknowledgedMs }) => acknowledgedMs)),
      replicaMs: spread(rounds.map(({ replicaMs }) => replicaMs)),
    }),
  );
}

interface Round {
  /** From the kill until a bystander tells in NIP-11 that the member is dead. */
  verdictMs: number;
  /** Until a write is acknowledged by the acting master, with two copies, to a client that the bystander sent there. */
  acknowledgedMs: number;
  /** Until a client that was connected to a replica all the time has its next write acknowledged there, with two copies. */
  replicaMs: number;
}

async function failover(
  cluster: ProcessCluster,
  master: number,
  author: ReturnType<typeof newSigner>,
): Promise<Round> {
  const url = (i: number) => cluster.urls[i % cluster.urls.length]!;
  const bystander = await WireClient.open(url(master + 3));
  bystander.send('COVEY', { version: 1 });
  const replica = await WireClient.open(url(master + 2));
  await cluster.kill(master);
  const start = performance.now();
  const sinceKill = () => Math.round(performance.now() - start);
  const verdict = until('a verdict', async () => (await cluster.dead(master + 3)) > 0).then(sinceKill);
  const direct = until(
    'two copies at a replica',
    async () => (await replica.publish(author.sign()))[1] === '',
  ).then(sinceKill);
  const acting = url(master + 1);
  const redirected = until('two copies at the acting master', async () => {
    const [, message] = await bystander.publish(author.sign());
    if (parseRedirect(message)?.[0] !== acting) return false;
    const client = await WireClient.open(acting);
    const [accepted, text] = await client.publish(author.sign());
    client.close();
    return accepted && text === '';
  }).then(sinceKill);
  const [verdictMs, replicaMs, acknowledgedMs] = await Promise.all([verdict, direct, redirected]);
  bystander.close();
  replica.close();
  return { verdictMs, acknowledgedMs, replicaMs };
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + ROUND_MS_MAX;
  while (!(await check().catch(() => false))) {
    if (performance.now() > end) throw new Error(`no ${what} within ${ROUND_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
}

function spread(values: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)]!;
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1)! };
}
