import { Book, SimClient } from './book.ts';
import { Cluster } from './cluster.ts';
import { Faults } from './faults.ts';
import type { Guard } from './guards.ts';
import { Invariants, type Violation } from './invariants.ts';
import { withTimers } from './timers.ts';
import { World } from './world.ts';

export interface SeedOptions {
  /** Guards that are switched off. */
  without?: ReadonlySet<Guard>;
  /** Simulated seconds in which things go wrong. */
  seconds?: number;
}

export interface SeedResult {
  seed: number;
  /** Of all that happened: equal when the seed is run again. */
  digest: string;
  steps: number;
  /** Events that clients were told of as durable on two copies, and reads that were judged. */
  acknowledged: number;
  reads: number;
  violation: Violation | undefined;
  /** Simulated seconds until then. */
  atSeconds: number;
  faults: readonly string[];
  epochs: number;
}

const CLIENTS = 3;
const AUTHORS = 6;
/** Longest time until all has settled after the last fault was mended. */
const SETTLE_MS_MAX = 240_000;

/** One run, all of it from one seed. */
export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedResult> {
  const world = new World(seed);
  return await withTimers(world, () => run(world, seed, options));
}

async function run(
  world: World,
  seed: number,
  { without = new Set(), seconds = 90 }: SeedOptions,
): Promise<SeedResult> {
  const cluster = new Cluster(world, world.between(5, 7), AUTHORS, without);
  const book = new Book();
  const faults = new Faults(cluster);
  const invariants = new Invariants(cluster, book, faults);
  for (let i = 0; i < cluster.size; i++) cluster.startMember(i);
  const clients = Array.from({ length: CLIENTS }, (_, i) => new SimClient(cluster, book, i, faults));
  const check = () => invariants.check();
  const end = world.startMs + seconds * 1000;
  let broken = await world.run(end, check);
  if (!broken) {
    faults.heal();
    for (const client of clients) client.stopped = true;
    cluster.places = false;
    let unsettled: string | undefined = 'not looked at';
    for (let at = end; !broken && unsettled !== undefined && at <= end + SETTLE_MS_MAX; at += 1000) {
      broken = await world.run(at, check);
      unsettled = invariants.unsettled();
    }
    if (!broken && unsettled !== undefined)
      invariants.violation = { invariant: 'every live member converges', detail: unsettled };
  }
  return {
    seed,
    digest: world.digest,
    steps: world.steps,
    acknowledged: book.strong.length,
    reads: book.reads,
    violation: invariants.violation,
    atSeconds: (world.nowMs - world.startMs) / 1000,
    faults: faults.told,
    epochs: cluster.table.epoch,
  };
}
