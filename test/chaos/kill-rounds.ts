import { setTimeout as delay } from 'node:timers/promises';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { until } from '../integration/relay-fixture.ts';
import { ProcessCluster } from './process-cluster.ts';

const MEMBERS = 5;
/** Events in flight of one writer. */
const WINDOW = 16;

export interface KillOptions {
  rounds: number;
  /** How often the disk of the member that is killed is lost too: 1 for every time. */
  wipeShare: number;
  /** From 0 up to, not including, 1. */
  random: () => number;
  /** Events written in a round, about; as many as it takes when not given. A member that lost its disk fills all of them again. */
  eventsPerRound?: number;
  report?: (text: string) => void;
}

export interface KillResult {
  /** Said OK to as durable on two copies, by a holder or by who forwarded it. */
  acknowledged: number;
  /** Said OK to with the words that one copy alone, or the spool alone, has it. */
  weak: number;
  /** Of these, not served any more by any member. */
  lost: string[];
  weakLost: number;
  /** Milliseconds from a restart until all copies were whole, by round. */
  healedMs: number[];
}

/**
 * Members are killed with SIGKILL one after the other while clients write to all of them, at random moments, some with their
 * disks; each comes back and fills before the next goes. Then every acknowledged event is asked for.
 */
export async function killRounds({
  rounds,
  wipeShare,
  random,
  eventsPerRound = Number.POSITIVE_INFINITY,
  report,
}: KillOptions): Promise<KillResult> {
  const authors = Array.from({ length: 10 }, () => newSigner());
  const groups = authors.map(({ pubkey }, i) => ({
    members: [0, 1, 2].map((n) => (i + n) % MEMBERS),
    accounts: [pubkey],
  }));
  const cluster = await ProcessCluster.make(MEMBERS, groups);
  const strong = new Map<string, string>();
  const weak = new Map<string, string>();
  const healedMs: number[] = [];
  let stopped = false;
  let paused = false;
  let written = 0;
  let writtenMax = eventsPerRound;

  /** Writes to one member for as long as it lives, and goes on when it is back. */
  const write = async (url: string): Promise<void> => {
    while (!stopped) {
      const client = await WireClient.open(url).catch(() => undefined);
      if (!client) {
        await delay(50);
        continue;
      }
      const closed = new Promise<void>((resolve) => client.socket.once('close', () => resolve()));
      let gone = false;
      void closed.then(() => {
        gone = true;
      });
      const one = async (): Promise<void> => {
        while (!stopped && !gone) {
          if (paused || written >= writtenMax) {
            await delay(20);
            continue;
          }
          // Not drawn at random: what is drawn must not depend on how fast answers come.
          const author = authors[written++ % authors.length]!;
          const event = author.sign({ content: `${url} ${written}` });
          const answer = await Promise.race([client.publish(event).catch(() => undefined), closed]);
          if (!answer?.[0]) continue;
          const isWeak = /durable on one copy|no holder has confirmed/.test(answer[1]);
          (isWeak ? weak : strong).set(event.id, author.pubkey);
        }
      };
      await Promise.all(Array.from({ length: WINDOW }, one));
      client.close();
    }
  };

  try {
    for (let i = 0; i < MEMBERS; i++) await cluster.start(i);
    await until('a first whole state', () => cluster.settled(), 20_000);
    const writers = cluster.urls.map(write);
    for (let round = 0; round < rounds; round++) {
      writtenMax = written + eventsPerRound;
      await delay(100 + random() * 300);
      const victim = Math.floor(random() * MEMBERS);
      const wipe = random() < wipeShare;
      await cluster.kill(victim, wipe);
      writtenMax += eventsPerRound / 2;
      await delay(100 + random() * 300);
      await cluster.start(victim);
      const start = performance.now();
      // The writes pause so that "whole" has a meaning; they go on while the next one is killed.
      paused = true;
      await until(`whole copies after round ${round}`, () => cluster.settled(), 180_000);
      healedMs.push(Math.round(performance.now() - start));
      paused = false;
      report?.(
        `round ${round + 1}: member ${victim + 1} killed${wipe ? ' with its disk' : ''}, whole again after ${healedMs.at(-1)} ms; ${strong.size} acknowledged, ${weak.size} on one copy`,
      );
    }
    stopped = true;
    await Promise.all(writers);
    await until('whole copies', () => cluster.settled(), 180_000);
    const lost = await missing(cluster, strong);
    const weakLost = (await missing(cluster, weak)).length;
    return { acknowledged: strong.size, weak: weak.size, lost, weakLost, healedMs };
  } finally {
    stopped = true;
    await cluster.stop();
  }
}

/** Ids that no read at some member finds, each looked for at two members. */
async function missing(cluster: ProcessCluster, events: ReadonlyMap<string, string>): Promise<string[]> {
  const ids = [...events.keys()];
  let left = new Set(ids);
  for (const url of [cluster.urls[0]!, cluster.urls[3]!]) {
    const client = await WireClient.open(url);
    const found = new Set<string>();
    for (let i = 0; i < ids.length; i += 400) {
      const batch = ids.slice(i, i + 400);
      const authors = [...new Set(batch.map((id) => events.get(id)!))];
      for (const event of (await client.read({ ids: batch, authors, limit: 1000 })).events)
        found.add(event.id);
    }
    client.close();
    left = new Set([...left].filter((id) => !found.has(id)));
  }
  return [...left];
}
