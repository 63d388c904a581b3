import { setTimeout as delay } from 'node:timers/promises';
import { newSigner } from '../../conformance/signer.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Book } from './book.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { type Load, lost, readFrom, writeTo } from './clients.ts';
import { follow } from './faults.ts';
import { type ChaosOptions, type ChaosResult, placed } from './run-chaos.ts';

export interface AloneOptions extends Omit<ChaosOptions, 'rounds' | 'only'> {
  minutes: number;
  /** In the middle of that time one member dies and comes back. */
  killMember: boolean;
}

/**
 * Members and clients go on for minutes with every coordinator, every NATS server and PostgreSQL gone: each EVENT is
 * answered, each REQ finds what was acknowledged. Then the rest comes back and the next epoch is applied.
 */
export async function runAlone(options: AloneOptions): Promise<Omit<ChaosResult, 'rounds' | 'failoverMs'>> {
  const { random, report, minutes } = options;
  const authors = Array.from({ length: options.authors }, () => newSigner());
  const book = new Book(authors, random);
  const cluster = await ChaosCluster.start(options);
  let stopped = false;
  let failed = true;
  try {
    await follow(cluster, authors, random);
    await cluster.requestPlacement();
    await waitFor(() => placed(cluster), 'a first epoch at every member', 60_000);
    await cluster.untilSettled(60_000);
    const load: Load = {
      book,
      members: cluster.members,
      random,
      pauseMs: options.pauseMs,
      stopped: () => stopped,
      paused: () => false,
    };
    const clients = cluster.members.flatMap((_, i) => [writeTo(i, load), readFrom(i, load)]);
    await Promise.all(
      [...cluster.coordinators.map(({ process: one }) => one), ...cluster.nats].map((p) => p.kill()),
    );
    await cluster.postgres.kill('SIGQUIT');
    report('coordinators, NATS and PostgreSQL are gone');
    for (let minute = 1; minute <= minutes; minute++) {
      const dies = options.killMember && minute === Math.ceil(minutes / 2);
      if (dies) await cluster.members[0]!.process.kill();
      await delay(60_000);
      if (dies) await cluster.members[0]!.process.start();
      report(
        `minute ${minute}: ${book.entries.length} acknowledged, ${book.reads} reads, ${book.late} late, ${book.gaps.length} gaps, ${book.unanswered.length} unanswered`,
      );
    }
    await cluster.startPostgres();
    await Promise.all(cluster.nats.map((one) => one.start()));
    await Promise.all(cluster.coordinators.map(({ process: one }) => one.start()));
    const before = await cluster.epoch();
    await cluster.requestPlacement();
    await waitFor(async () => (await cluster.epoch()) > before, 'the next epoch', 120_000);
    await waitFor(() => placed(cluster, before + 1), 'the next epoch at every member', 120_000);
    report('all is back, and the next epoch is applied');
    stopped = true;
    await Promise.all(clients);
    await cluster.untilSettled(120_000);
    const gone = await lost(
      book,
      cluster.members.map(({ url }) => url),
    );
    failed = gone.strong.length + book.gaps.length + book.unanswered.length > 0;
    return { epochs: await cluster.epoch(), ...book.counts(), lost: gone.strong, weakLost: gone.weak };
  } finally {
    stopped = true;
    await cluster.stop({ keepLogs: failed });
  }
}
