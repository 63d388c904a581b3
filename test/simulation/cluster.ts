import { type PlacementTable, verifyManifest } from '@covey/table';
import { draftStep, signDraft } from '../../services/coordinator/src/epochs/commit-draft.ts';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { Calls } from './calls.ts';
import { Disk } from './disk.ts';
import type { Guard } from './guards.ts';
import { CLUSTER_NAME, COORDINATOR_KEYS, ROOT } from './keys.ts';
import type { Message } from './messages.ts';
import { SimCoordinator } from './sim-coordinator.ts';
import { SimMember } from './sim-member.ts';
import { NatsServer, SUBJECTS, type TableServer } from './sim-nats.ts';
import { Database } from './sim-postgres.ts';
import { COORDINATORS, type World } from './world.ts';

const HOUR_MS = 3_600_000;

/** All processes and disks of one run: members, two coordinators, PostgreSQL and NATS. */
export class Cluster {
  readonly world: World;
  readonly without: ReadonlySet<Guard>;
  readonly ids: readonly string[];
  readonly authors: readonly string[];
  readonly disks: Disk[] = [];
  /** Of each member's clock: up to an hour. */
  readonly clockErrorMs: number[] = [];
  readonly members: (SimMember | undefined)[] = [];
  /** Killed so that connections to it are refused, and not silent. */
  readonly #refusing = new Set<number>();
  #ref = 0;
  readonly calls: Calls;
  readonly database: Database;
  readonly nats: NatsServer;
  readonly coordinators: (SimCoordinator | undefined)[] = [];
  readonly coordinatorErrorMs: number[] = [];
  /** Whether new placements are made. */
  places = true;
  /** How long a sync takes, at most. */
  syncMsMax = 20;
  /** Called when a member declares another dead. */
  onDead: (observer: number, member: number) => void = () => {};
  /** Called when a client was told that an event stands on two copies. */
  onStrong: (id: string) => void = () => {};

  constructor(world: World, size: number, authors: number, without: ReadonlySet<Guard>) {
    this.world = world;
    this.without = without;
    this.ids = Array.from({ length: size }, (_, i) => keyOf(i + 1));
    this.authors = Array.from({ length: authors }, (_, i) => keyOf(i + 0x80));
    for (let i = 0; i < size; i++) {
      this.disks.push(new Disk());
      this.clockErrorMs.push(world.between(-HOUR_MS, HOUR_MS));
    }
    this.calls = new Calls(world);
    this.nats = new NatsServer(world, this.calls);
    const table = fixtureTable({
      cluster: CLUSTER_NAME,
      members: this.ids.map((id, i) => ({ id, url: `wss://m${i}.example` })),
      groups: this.authors.map((author, i) => ({
        members: [0, 1, 2].map((n) => (i * 3 + n * (1 + (i % 2))) % size),
        accounts: [author],
      })),
    });
    const row = firstEpoch(table, world.nowMs);
    this.database = new Database(world, this.calls, { row, table }, this.authors, without);
    const current = {
      table,
      manifest: verifyManifest(row.manifest, [ROOT], CLUSTER_NAME),
      event: row.manifest,
    };
    for (const disk of this.disks) disk.table = current;
    for (const number of COORDINATORS.keys()) {
      this.coordinatorErrorMs.push(world.between(-HOUR_MS, HOUR_MS));
      this.startCoordinator(number);
    }
  }

  /**
   * The number of a question, never given twice: an answer to an earlier life of who asked is no answer to the next one, as the
   * connection on which it was asked is gone.
   */
  nextRef(): number {
    return ++this.#ref;
  }

  get size(): number {
    return this.ids.length;
  }

  /** By epoch, from 1. */
  get tables(): readonly PlacementTable[] {
    return this.database.tables;
  }

  /** The newest table. */
  get table(): PlacementTable {
    return this.tables.at(-1)!;
  }

  syncMs(): number {
    return this.world.between(1, this.syncMsMax);
  }

  startCoordinator(number: number): void {
    this.coordinators[number] = new SimCoordinator(this, number);
  }

  killCoordinator(number: number): void {
    this.coordinators[number] = undefined;
    this.#ended(COORDINATORS[number]!, false);
  }

  /** An old manifest is said again, as by a stream that was put back. */
  repeatManifest(): void {
    const { manifest } = this.world.pick(this.database.epochs.slice(-4));
    this.nats.publish(SUBJECTS.manifest, new TextEncoder().encode(JSON.stringify(manifest)));
  }

  /** The member whose documents are served under a host name. */
  tableServerAt(host: string): { address: number; server: () => TableServer } | undefined {
    const index = Number(/^m(\d+)\.example$/.exec(host)?.[1] ?? -1);
    if (!this.ids[index]) return undefined;
    const served = () => this.members[index]?.tables.current;
    return {
      address: index,
      server: () => ({ manifest: () => served()?.event, table: () => served()?.table.bytes }),
    };
  }

  startMember(index: number): void {
    this.#refusing.delete(index);
    this.members[index] = new SimMember(this, index);
  }

  /** @param silently as when its power fails; else its connections break, and new ones are refused */
  killMember(index: number, silently: boolean): void {
    this.members[index] = undefined;
    this.#ended(index, silently);
    if (silently) return;
    this.#refusing.add(index);
    for (let to = 0; to < this.size; to++)
      if (to !== index) this.world.send(index, to, 'lost', { type: 'lost' } satisfies Message);
  }

  #ended(process: number, silently: boolean): void {
    this.world.kill(process);
    this.calls.ended(process, silently);
    this.nats.forget(process);
  }

  refuses(index: number): boolean {
    return this.#refusing.has(index);
  }

  /** Numbers of members that run, stopped ones among them. */
  get running(): number[] {
    return this.members.flatMap((member, i) => (member ? [i] : []));
  }
}

function firstEpoch(table: PlacementTable, nowMs: number) {
  const counts = { accounts: table.accounts, follows: 0, communities: 0, groups: 0, moved: 0 };
  const draft = draftStep(
    { epoch: 0, root: '', manifestId: '', inputs: '0'.repeat(64), target: undefined, counts, snapshot: '' },
    table,
    table.content(),
    { createdAt: Math.floor(nowMs / 1000), reason: 'first', moved: 0 },
  );
  return signDraft({ cluster: CLUSTER_NAME, fence: 0, keys: COORDINATOR_KEYS[0] }, undefined, draft);
}

/** A made-up public key. */
function keyOf(number: number): string {
  return number.toString(16).padStart(2, '0').repeat(32);
}
