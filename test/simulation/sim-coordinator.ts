import type { MovePolicy } from '@covey/moves';
import { DEFAULT_MOVE_POLICY } from '@covey/moves';
import { buildRows, encodeTable, PlacementTable, SLOT_GROUPS } from '@covey/table';
import { Acknowledgements } from '../../services/coordinator/src/acknowledgements.ts';
import {
  draftStep,
  type SignContext,
  signDraft,
} from '../../services/coordinator/src/epochs/commit-draft.ts';
import { FencedError } from '../../services/coordinator/src/epochs/epoch-store.ts';
import { Lease } from '../../services/coordinator/src/lease.ts';
import { commitTarget } from '../../services/coordinator/src/moves/commit-target.ts';
import { MemberReports } from '../../services/coordinator/src/moves/member-reports.ts';
import type { MoveStore } from '../../services/coordinator/src/moves/move-store.ts';
import { Mover } from '../../services/coordinator/src/moves/mover.ts';
import { ReportFeed } from '../../services/coordinator/src/moves/report-feed.ts';
import { Serial } from '../../services/coordinator/src/moves/serial.ts';
import { Outbox } from '../../services/coordinator/src/outbox.ts';
import type { Cluster } from './cluster.ts';
import { CLUSTER_NAME, COORDINATOR_KEYS } from './keys.ts';
import { COORDINATORS, type World } from './world.ts';

/** Times that fit a run; what they are for is unchanged. */
const POLICY: MovePolicy = {
  ...DEFAULT_MOVE_POLICY,
  silentMs: 8000,
  acknowledgeMs: 20_000,
  planTtlMs: 4000,
};
const STEP_MS = 1000;
/** Between two placements, and how long one is computed. */
const PLACE_MS_MAX = 20_000;
const COMPUTE_MS_MAX = 15_000;

const log = { info() {}, warn() {} } as const;

/** A lie that members are said to tell: nobody has to be waited for. */
class TrustingReports extends MemberReports {
  override reports(...args: Parameters<MemberReports['reports']>): ReturnType<MemberReports['reports']> {
    const [, currentEpoch] = args;
    const said = super.reports(...args);
    for (const [id, report] of said)
      said.set(id, { ...report, epoch: currentEpoch, behindSinceMs: undefined, filling: new Set() });
    return said;
  }
}

/**
 * One life of a coordinator's process: the real lease, outbox, mover, first step to a target and reports of members, over a database and a
 * NATS that are made up. Placements are drawn instead of computed.
 */
export class SimCoordinator {
  readonly lease: Lease;
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #number: number;
  readonly #outbox: Outbox;
  readonly #mover: Mover;
  readonly #serial = new Serial();
  readonly #store: MoveStore;

  constructor(cluster: Cluster, number: number) {
    this.#cluster = cluster;
    this.#world = cluster.world;
    this.#number = number;
    const { database, nats, without, world, ids } = cluster;
    const address = COORDINATORS[number]!;
    world.start(address, () => {});
    const link = nats.connect(address);
    const nowMs = () => world.nowMs - world.startMs;
    const clock = () => Math.floor(world.nowMs + cluster.coordinatorErrorMs[number]!);
    const reports = new (without.has('stages wait') ? TrustingReports : MemberReports)(nowMs());
    const acks = new Acknowledgements({ link, cluster: CLUSTER_NAME, members: () => ids, nowMs, log });
    const feed = new ReportFeed({ link, cluster: CLUSTER_NAME, reports, members: () => ids, nowMs });
    const store = database.movesFor(address);
    this.#store = without.has('commit first')
      ? {
          ...store,
          commit: async (row, state) => {
            const { table: snapshot, ...rest } = row;
            await link.publishing.publisher()?.publish({ ...rest, snapshot });
            await store.commit(row, state);
          },
        }
      : store;
    this.#outbox = new Outbox({
      store: database.outboxFor(address),
      publishing: link.publishing,
      leads: () => this.lease.fence !== undefined,
      onPublished: ({ epoch }) => acks.published(epoch),
      log,
    });
    this.#mover = new Mover({
      store: this.#store,
      context: () => this.#context(),
      reports,
      serial: this.#serial,
      policy: POLICY,
      bytesPerMemberMax: 1 << 30,
      copies: 3,
      stepMs: STEP_MS,
      nowMs,
      clock,
      onStep: () => this.#outbox.wake(),
      onWaiting: () => {},
      log,
    });
    this.lease = new Lease({
      store: database.leaseFor(address),
      holder: `coordinator ${number}`,
      nowMs,
      onLeader: () => {
        this.#outbox.wake();
        this.#mover.start();
      },
      onLost: () => void this.#mover.stop(),
      log,
    });
    world.after(0, address, 'start', () => {
      world.wakePromises();
      acks.start();
      feed.start();
      this.#outbox.start();
      this.lease.start();
      this.#placeLater();
    });
  }

  #context(): SignContext | undefined {
    const { fence } = this.lease;
    return fence === undefined
      ? undefined
      : { cluster: CLUSTER_NAME, fence, keys: COORDINATOR_KEYS[this.#number]! };
  }

  #placeLater(): void {
    const world = this.#world;
    world.after(world.between(PLACE_MS_MAX / 4, PLACE_MS_MAX), COORDINATORS[this.#number], 'place', () => {
      this.#placeLater();
      // What is computed is committed under the fence of when it began, as `runEpoch` does.
      const context = this.#context();
      if (!context || !this.#cluster.places) return;
      const startedMs = world.nowMs;
      const target = drawTarget(this.#cluster, this.#cluster.database.target.table);
      world.after(world.between(0, COMPUTE_MS_MAX), COORDINATORS[this.#number], 'placed', () => {
        world.wakePromises();
        void this.#serial.run(() => this.#commit(context, target, startedMs)).catch(failed);
      });
    });
  }

  /** As the second half of `runEpoch`. */
  async #commit(context: SignContext, target: PlacementTable, nowMs: number): Promise<void> {
    const last = await this.#store.last();
    if (!last) return;
    const moves = { store: this.#store, stepInput: this.#mover.stepInput };
    if (this.#cluster.without.has('stages')) {
      const current = new PlacementTable(await this.#store.tableOf(last.epoch));
      const draft = draftStep(last, current, target.content(), {
        createdAt: Math.floor(nowMs / 1000),
        reason: 'all at once',
        moved: 1,
      });
      await this.#store.commit(signDraft(context, last, draft), { target, phases: new Map() });
    } else await commitTarget(context, moves, last, { table: target, nowMs, reason: 'placement', moved: 1 });
    this.#outbox.wake();
  }
}

/** What a coordinator meets when its lease, its database or its link goes; anything else is a fault of the code. */
function failed(error: Error): void {
  if (error instanceof FencedError || /no answer|connection|stream not found/.test(error.message)) return;
  setImmediate(() => {
    throw error;
  });
}

/** Another placement: lists of members that change by one or in order, accounts that go to another group. */
export function drawTarget(cluster: Cluster, before: PlacementTable): PlacementTable {
  const { world, size, authors } = cluster;
  const content = before.content();
  const groups = [...content.groups];
  const groupOf = authors.map((author) => before.locate(author).group);
  for (let changes = world.between(1, 2); changes > 0; changes--) {
    const at = SLOT_GROUPS + world.between(0, authors.length - 1);
    const group = groups[at]!;
    const draw = world.random();
    if (draw < 0.25) {
      const [first, ...rest] = group.members;
      groups[at] = { ...group, members: [...rest, first!] };
    } else if (draw < 0.75) {
      const others = Array.from({ length: size }, (_, i) => i).filter((i) => !group.members.includes(i));
      const [leaves, joins] = [world.pick(group.members), world.pick(others)];
      groups[at] = { ...group, members: group.members.map((member) => (member === leaves ? joins : member)) };
    } else groupOf[world.between(0, authors.length - 1)] = at;
  }
  const keys = new Uint8Array(Buffer.from(authors.join(''), 'hex'));
  const rows = buildRows(keys, Uint32Array.from(groupOf));
  return new PlacementTable(encodeTable({ ...content, epoch: 1, groups, moves: [], rows }));
}

/** Whether every account stands where the target has it, with nothing on its way. */
export function hasArrived({ database, authors }: Cluster): boolean {
  const table = database.tables.at(-1)!;
  const { table: target } = database.target;
  const lists = (of: PlacementTable) => JSON.stringify(authors.map((author) => of.locate(author).members));
  return table.moves().length === 0 && lists(table) === lists(target);
}
