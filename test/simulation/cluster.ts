import {
  diffTables,
  encodeTable,
  type PlacementTable,
  SLOT_GROUPS,
  PlacementTable as Table,
  type TableContent,
} from '@covey/table';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { Disk } from './disk.ts';
import type { Guard } from './guards.ts';
import type { Message } from './messages.ts';
import { SimMember } from './sim-member.ts';
import type { World } from './world.ts';

/** The coordinator's address. */
export const COORDINATOR = 900;
const HOUR_MS = 3_600_000;

/** All processes and disks of one run, and the authority over tables: a coordinator that may be away. */
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
  /** By epoch, from 1. */
  readonly tables: PlacementTable[] = [];
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
    this.publish(
      fixtureTable({
        members: this.ids.map((id, i) => ({ id, url: `wss://m${i}.example` })),
        groups: this.authors.map((author, i) => ({
          members: [0, 1, 2].map((n) => (i * 3 + n * (1 + (i % 2))) % size),
          accounts: [author],
        })),
      }).content(),
    );
    for (const disk of this.disks) disk.table = this.table;
    this.startCoordinator();
  }

  get size(): number {
    return this.ids.length;
  }

  /** The newest table. */
  get table(): PlacementTable {
    return this.tables.at(-1)!;
  }

  syncMs(): number {
    return this.world.between(1, this.syncMsMax);
  }

  startCoordinator(): void {
    this.world.start(COORDINATOR, (from, message) => {
      if ((message as Message).type === 'want table')
        this.world.send(COORDINATOR, from, 'table', this.#whole());
    });
  }

  #whole(): Message {
    return { type: 'table', epoch: this.table.epoch, bytes: this.table.bytes };
  }

  /** A new epoch, told to all members as a delta. */
  publish(content: Omit<TableContent, 'epoch'>): void {
    const before = this.tables.at(-1);
    const table = new Table(encodeTable({ ...content, epoch: this.tables.length + 1 }));
    this.tables.push(table);
    if (!before) return;
    const bytes = diffTables(before, table);
    for (let to = 0; to < this.size; to++)
      this.world.send(COORDINATOR, to, 'delta', {
        type: 'delta',
        from: before.epoch,
        epoch: table.epoch,
        bytes,
      } satisfies Message);
    // And the one before again a little later, as a broken stream would.
    this.world.after(this.world.between(200, 3000), COORDINATOR, 'old table', () =>
      this.world.send(COORDINATOR, this.world.between(0, this.size - 1), 'old table', {
        type: 'table',
        epoch: before.epoch,
        bytes: before.bytes,
      } satisfies Message),
    );
  }

  startMember(index: number): void {
    this.#refusing.delete(index);
    this.members[index] = new SimMember(this, index);
  }

  /** @param silently as when its power fails; else its connections break, and new ones are refused */
  killMember(index: number, silently: boolean): void {
    this.members[index] = undefined;
    this.world.kill(index);
    if (silently) return;
    this.#refusing.add(index);
    for (let to = 0; to < this.size; to++)
      if (to !== index) this.world.send(index, to, 'lost', { type: 'lost' } satisfies Message);
  }

  refuses(index: number): boolean {
    return this.#refusing.has(index);
  }

  /** Numbers of members that run, stopped ones among them. */
  get running(): number[] {
    return this.members.flatMap((member, i) => (member ? [i] : []));
  }

  /** The group of an author, by the newest table. */
  groupOf(author: number): number {
    return SLOT_GROUPS + author;
  }
}

/** A made-up public key. */
function keyOf(number: number): string {
  return number.toString(16).padStart(2, '0').repeat(32);
}
