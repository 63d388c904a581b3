import { newSigner } from '../../conformance/signer.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Book, type BookCounts } from './book.ts';
import { ChaosCluster, type ChaosSize } from './chaos-cluster.ts';
import { type Load, lost, readFrom, writeTo } from './clients.ts';
import { FailoverWatch } from './failover-watch.ts';
import { FAULTS, type Fault, follow } from './faults.ts';

export interface ChaosOptions extends ChaosSize {
  /** How many faults, one after the other. */
  rounds: number;
  /** Names of the faults to draw from; all when empty. */
  only: readonly string[];
  authors: number;
  pauseMs: number;
  random: () => number;
  report: (text: string) => void;
}

export interface ChaosResult extends BookCounts {
  epochs: number;
  /** Acknowledged as durable on two copies, and not served by any member any more. */
  lost: string[];
  weakLost: string[];
  rounds: Record<string, number>;
  /** From the kill of a member to the next acknowledged write of each account of which it was the master, at another. */
  failoverMs: number[];
}

/** A cluster under load and faults; afterwards everything that was acknowledged is asked for. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { random, report, rounds } = options;
  const authors = Array.from({ length: options.authors }, () => newSigner());
  const book = new Book(authors, random);
  const cluster = await ChaosCluster.start(options);
  const watch = new FailoverWatch(
    cluster,
    authors.map(({ pubkey }) => pubkey),
  );
  let stopped = false;
  let paused = false;
  let failed = true;
  const faults = options.only.length > 0 ? FAULTS.filter(({ name }) => options.only.includes(name)) : FAULTS;
  try {
    await follow(cluster, authors, random);
    await cluster.requestPlacement();
    await waitFor(() => placed(cluster), 'a first epoch at every member', 60_000);
    await cluster.untilSettled(60_000);
    report(`${cluster.members.length} members at epoch ${await cluster.epoch()}`);
    const load: Load = {
      book,
      members: cluster.members,
      random,
      pauseMs: options.pauseMs,
      stopped: () => stopped,
      paused: () => paused,
      onWrite: (author, member) => watch.wrote(author, member),
    };
    const clients = cluster.members.flatMap((_, i) => [writeTo(i, load), readFrom(i, load)]);
    const done: Record<string, number> = {};
    for (let round = 1; round <= rounds; round++) {
      const fault = choose(faults, random, round);
      const start = performance.now();
      await watch.remember();
      const what = await fault.run({ cluster, authors, random, dies: (i) => watch.died(i) });
      done[fault.name] = (done[fault.name] ?? 0) + 1;
      const hurtMs = Math.round(performance.now() - start);
      paused = true;
      await cluster.untilSettled(120_000);
      paused = false;
      const wholeMs = Math.round(performance.now() - start) - hurtMs;
      report(
        `${round}/${rounds} ${fault.name}: ${what}; ${hurtMs} ms, whole again ${wholeMs} ms later; ` +
          `${book.entries.length} acknowledged, ${book.reads} reads, ${book.late} late, ${book.gaps.length} gaps, ${book.unanswered.length} unanswered`,
      );
    }
    stopped = true;
    await Promise.all(clients);
    await cluster.untilSettled(120_000);
    const gone = await lost(
      book,
      cluster.members.map(({ url }) => url),
    );
    const result: ChaosResult = {
      epochs: await cluster.epoch(),
      ...book.counts(),
      lost: gone.strong,
      weakLost: gone.weak,
      rounds: done,
      failoverMs: watch.tookMs.sort((a, b) => a - b),
    };
    failed = result.lost.length + result.gaps.length + result.unanswered.length > 0;
    return result;
  } finally {
    stopped = true;
    await cluster.stop({ keepLogs: failed });
  }
}

/** The first rounds go through all faults in their order, later ones are drawn. */
function choose(faults: readonly Fault[], random: () => number, round: number): Fault {
  return faults[round <= faults.length ? round - 1 : Math.floor(random() * faults.length)]!;
}

/** Every member applies epoch `from` or a later one. */
export async function placed(cluster: ChaosCluster, from = 1): Promise<boolean> {
  for (const i of cluster.members.keys())
    if ((await cluster.memberMetric(i, 'covey_relay_epoch').catch(() => 0)) < from) return false;
  return true;
}
