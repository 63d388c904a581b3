import { setTimeout as delay } from 'node:timers/promises';
import { placementOf } from '@covey/enforcement';
import { type MovePhase, type PlacementTable, SLOT_GROUPS } from '@covey/table';
import { WireClient } from '../conformance/wire-client.ts';
import { until } from '../integration/relay-fixture.ts';
import { MoveCluster } from './move-cluster.ts';

/** Events in flight of one writer, and the pause after each: it is the moves that are to be busy. */
const WINDOW = 2;
const WRITE_MS = 150;
const READ_MS = 50;
/** How old the table of a reader's plan may be. */
const PLAN_MS = 1000;

/** An event is acknowledged with two copies of three: the third has it within this time, on a machine that is busy. */
const THIRD_COPY_MS = 5000;

/** What is killed with SIGKILL while groups are in a phase, and started again. */
export interface MoveRound {
  phase: MovePhase;
  victim: 'coordinator' | 'old member' | 'new member';
  /** It comes back only when the moves are over, without it. */
  away?: boolean;
}

export interface MoveRoundsOptions {
  members: number;
  authors: number;
  /** Share of the authors that each round moves. */
  share: number;
  rounds: readonly MoveRound[];
  /** Number of a member that leaves at the end. */
  leaves?: number;
  report?: (text: string) => void;
}

export interface MoveRoundsResult {
  acknowledged: number;
  /** Said OK to with the words that one copy alone, or the spool alone, has it. */
  weak: number;
  reads: number;
  /** Reads that said that they might lack something. */
  incompleteReads: number;
  /** Reads that said nothing and lacked an event that was acknowledged 5 s before they began, by what they lacked. */
  gaps: string[];
  lost: string[];
  epochs: number;
  movedAuthors: number;
}

/**
 * Authors move from member to member while clients write and read all the time at all members and keep a book of what was
 * acknowledged; in each round somebody is killed in some phase.
 */
export async function moveRounds({
  members,
  authors,
  share,
  rounds,
  leaves,
  report,
}: MoveRoundsOptions): Promise<MoveRoundsResult> {
  const cluster = await MoveCluster.make(members, authors);
  /** By author, what was acknowledged as durable on two copies, and when. */
  const book = new Map<string, Map<string, number>>(cluster.authors.map(({ pubkey }) => [pubkey, new Map()]));
  const gaps: string[] = [];
  let weak = 0;
  let reads = 0;
  let incompleteReads = 0;
  let written = 0;
  let stopped = false;

  /** Runs `work` on a connection to one member for as long as it lives, again when it is back. */
  const connected = async (url: string, work: (client: WireClient, gone: () => boolean) => Promise<void>) => {
    while (!stopped) {
      const client = await WireClient.open(url).catch(() => undefined);
      if (!client) {
        await delay(50);
        continue;
      }
      let gone = false;
      client.socket.once('close', () => {
        gone = true;
      });
      await work(client, () => gone || stopped).catch(() => {});
      client.close();
    }
  };
  const answered = <T>(client: WireClient, answer: Promise<T>): Promise<T | undefined> =>
    Promise.race([
      answer.catch(() => undefined),
      new Promise<undefined>((resolve) => client.socket.once('close', () => resolve(undefined))),
    ]);
  const write = (url: string) =>
    connected(url, async (client, gone) => {
      client.socket.setMaxListeners(0);
      const one = async () => {
        while (!gone()) {
          const author = cluster.authors[written++ % cluster.authors.length]!;
          const event = author.sign({ content: `${url} ${written}` });
          const answer = await answered(client, client.publish(event));
          if (answer?.[0]) {
            if (/durable on one copy|no holder has confirmed/.test(answer[1])) weak++;
            else book.get(author.pubkey)!.set(event.id, performance.now());
          }
          await delay(WRITE_MS);
        }
      };
      await Promise.all(Array.from({ length: WINDOW }, one));
    });
  let next = 0;
  /** Reads as a client does: from the first two relays of its plan that can be reached, the master if it can. */
  const read = async () => {
    const clients = new Map<string, WireClient>();
    let plan: { table: PlacementTable; atMs: number } | undefined;
    const clientAt = async (url: string): Promise<WireClient | undefined> => {
      const known = clients.get(url);
      if (known && known.closeCode === undefined) return known;
      const client = await WireClient.open(url).catch(() => undefined);
      if (client) clients.set(url, client);
      return client;
    };
    while (!stopped) {
      await delay(READ_MS);
      if (!plan || performance.now() - plan.atMs > PLAN_MS)
        plan = { table: (await cluster.table())!, atMs: performance.now() };
      const { table } = plan;
      const { pubkey } = cluster.authors[next++ % cluster.authors.length]!;
      const before = performance.now() - THIRD_COPY_MS;
      const expected = [...book.get(pubkey)!].flatMap(([id, atMs]) => (atMs < before ? [id] : []));
      const found = new Set<string>();
      let copies = 0;
      let said = false;
      for (const member of placementOf(table, pubkey).readers) {
        const client = copies < 2 ? await clientAt(table.members[member]!.url) : undefined;
        if (!client) continue;
        client.socket.setMaxListeners(0);
        const answer = await answered(client, client.read({ authors: [pubkey], kinds: [1], limit: 5000 }));
        client.frames.length = 0;
        if (!answer) continue;
        copies++;
        for (const { id } of answer.events) found.add(id);
        if (answer.end[0] !== 'EOSE' || (answer.end[2] as string[] | undefined)?.[0] === 'more') said = true;
      }
      if (copies === 0) continue;
      reads++;
      const missing = expected.filter((id) => !found.has(id));
      if (said) incompleteReads++;
      else if (missing.length > 0)
        gaps.push(
          `${missing.length} of ${expected.length} events from ${copies} copies in epoch ${table.epoch}`,
        );
    }
    for (const client of clients.values()) client.close();
  };

  try {
    await cluster.start('coordinator');
    await until('the first epoch', () => cluster.table(), 60_000);
    await Promise.all(Array.from({ length: members }, (_, i) => cluster.start(i)));
    const clients = [...cluster.urls.map(write), read(), read()];
    let movedAuthors = 0;
    for (const [round, { phase, victim, away }] of rounds.entries()) {
      const step = Math.max(1, Math.round(1 / share));
      movedAuthors += await cluster.moveAuthors((i) => (i + round) % step === 0);
      const { table, move } = await until(
        `phase ${phase}`,
        async () => {
          const last = await cluster.table();
          // One that has somebody new and somebody who goes: who had read copies may just lose them.
          const found = last?.moves().find(({ phase: at, group, from }) => {
            const to = last.group(group).members;
            const differ = (a: readonly number[], b: readonly number[]) => a.some((m) => !b.includes(m));
            return (
              at === phase && group >= SLOT_GROUPS && differ(from.members, to) && differ(to, from.members)
            );
          });
          return last && found && { table: last, move: found };
        },
        60_000,
      );
      const list = table.group(move.group).members;
      const comes = (from: readonly number[], to: readonly number[]) =>
        cluster.numberOf(table.members[to.find((member) => !from.includes(member))!]!.id);
      const number =
        victim === 'coordinator'
          ? victim
          : victim === 'old member'
            ? comes(list, move.from.members)
            : comes(move.from.members, list);
      await cluster.kill(number);
      if (!away) await cluster.start(number);
      await until(`the moves of round ${round + 1} to be over`, () => cluster.arrived(), 120_000);
      if (away) await cluster.start(number);
      report?.(
        `round ${round + 1}: ${victim} killed in ${phase}; ${reads} reads, ${gaps.length} gaps, ${incompleteReads} incomplete`,
      );
    }
    if (leaves !== undefined) {
      await cluster.leave(leaves);
      await until('the member that leaves to hold nothing', () => cluster.hasLeft(leaves), 120_000);
      report?.(`member ${leaves} left; ${reads} reads, ${gaps.length} gaps, ${incompleteReads} incomplete`);
    }
    stopped = true;
    await Promise.all(clients);
    const lost = await missingOf(cluster, book);
    const acknowledged = [...book.values()].reduce((sum, { size }) => sum + size, 0);
    const epochs = (await cluster.table())!.epoch;
    return { acknowledged, weak, reads, incompleteReads, gaps, lost, epochs, movedAuthors };
  } catch (cause) {
    const state = await cluster.state().catch((error: unknown) => String(error));
    throw new Error(`${(cause as Error).message}\n${state}`, { cause });
  } finally {
    stopped = true;
    await cluster.stop();
  }
}

/** Acknowledged events that no member has, once all had time to pass on what waits. */
async function missingOf(
  cluster: MoveCluster,
  book: ReadonlyMap<string, ReadonlyMap<string, number>>,
): Promise<string[]> {
  let left = new Set([...book.values()].flatMap((ids) => [...ids.keys()]));
  for (const url of cluster.urls) {
    const client = await WireClient.open(url);
    for (const [author, ids] of book) {
      if (![...ids.keys()].some((id) => left.has(id))) continue;
      const { events } = await client.read({ authors: [author], kinds: [1], limit: 5000 });
      client.frames.length = 0;
      const found = new Set(events.map(({ id }) => id));
      left = new Set([...left].filter((id) => !found.has(id)));
    }
    client.close();
  }
  return [...left];
}
