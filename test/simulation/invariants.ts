import { checkStep } from '@covey/moves';
import type { NostrEvent } from '@covey/nostr';
import { PREFIX_BYTES } from '@covey/table';
import type { EpochRow } from '../../services/coordinator/src/epochs/epoch-store.ts';
import type { Book } from './book.ts';
import type { Cluster } from './cluster.ts';
import type { Faults } from './faults.ts';
import { hasArrived } from './sim-coordinator.ts';
import type { SimMember } from './sim-member.ts';

/** Steps between two looks at what costs more than a comparison. */
const LOOK_STEPS = 64;
/** Longest time in which a minority may still act on what it knew before. */
const MINORITY_MS = 8000;
/** Longest time in which a suspicion from before may still become a verdict. */
const VERDICT_MS = 6000;
/** In peace for so long, everybody holds everybody alive. */
const PEACE_MS = 30_000;

export interface Violation {
  invariant: string;
  detail: string;
}

/** What must hold at each step. */
export class Invariants {
  readonly #cluster: Cluster;
  readonly #book: Book;
  readonly #faults: Faults;
  readonly #epochs: number[];
  readonly #minoritySinceMs: (number | undefined)[];
  readonly #reached: ReadonlySet<number>[];
  /** When a member was last known not to work, or not to be reachable. */
  readonly #badMs: number[];
  #strong = 0;
  #look = 0;
  violation: Violation | undefined;

  constructor(cluster: Cluster, book: Book, faults: Faults) {
    this.#cluster = cluster;
    this.#book = book;
    this.#faults = faults;
    this.#epochs = cluster.ids.map(() => 0);
    this.#minoritySinceMs = cluster.ids.map(() => undefined);
    this.#reached = cluster.ids.map(() => new Set());
    this.#badMs = cluster.ids.map(() => cluster.world.nowMs);
    cluster.onDead = (observer, member) => this.#declaredDead(observer, member);
    cluster.onStrong = (id) => this.#acknowledged(id);
    cluster.database.onCommit = (row, fence) => this.#committed(row, fence);
    cluster.nats.onManifest = (data) => this.#published(data);
    faults.onWipe = (member) => {
      this.#epochs[member] = 0;
      this.#stillThere(member);
    };
  }

  #broken(invariant: string, detail: string): void {
    this.violation ??= { invariant, detail };
  }

  /** After each step. @returns whether something is broken */
  check(): boolean {
    if (this.#book.claim) this.#broken('who claims to be whole is', this.#book.claim);
    if (this.#book.gap) this.#broken('no reader finds a gap', this.#book.gap);
    if (++this.#look % LOOK_STEPS === 0) {
      this.#faults.look();
      const leaders = this.#cluster.coordinators.filter((each) => each?.lease.fence !== undefined).length;
      if (leaders > 1) this.#broken('one leader', `${leaders} coordinators hold themselves for the leader`);
      for (const [i, member] of this.#cluster.members.entries()) this.#lookAt(i, member);
      if (this.#look % (16 * LOOK_STEPS) === 0) this.#alike();
    }
    return this.violation !== undefined;
  }

  #lookAt(i: number, member: SimMember | undefined): void {
    const { world, tables, size } = this.#cluster;
    const reached = this.#faults.reachedFrom(i);
    // Probes go through one other member, not through two; and what the other side believed is told when a parted network heals.
    const isCut = this.#faults.isParted || this.#faults.cutLinks > 1 || this.#faults.isApart(i);
    if (!member || world.isPaused(i) || isCut) this.#badMs[i] = world.nowMs;
    if (!member?.table) return;
    const { epoch } = member.table;
    if (epoch < this.#epochs[i]!)
      this.#broken('epochs rise', `member ${i} went from epoch ${this.#epochs[i]} to ${epoch}`);
    if (epoch !== this.#epochs[i] && member.table.root !== tables[epoch - 1]?.root)
      this.#broken('one table for an epoch', `member ${i} has another table for epoch ${epoch}`);
    this.#epochs[i] = epoch;
    // Whoever works may see a minority for a while; who does not is none. With one that came back it counts anew.
    const before = this.#reached[i]!;
    const cameBack = [...reached].some((other) => !before.has(other));
    this.#reached[i] = reached;
    if (reached.size * 2 > size || world.isPaused(i)) this.#minoritySinceMs[i] = undefined;
    else if (cameBack) this.#minoritySinceMs[i] = world.nowMs;
    else this.#minoritySinceMs[i] ??= world.nowMs;
    if (world.nowMs - (this.#minoritySinceMs[i] ?? world.nowMs) > MINORITY_MS)
      this.#appointsNobody(i, member);
    if (world.isPaused(i)) return;
    this.#namesTheLiving(i, member);
    if (world.nowMs - this.#faults.brokenUntilMs > PEACE_MS && world.weather.loss === 0) {
      const { suspect, dead, absent } = member.liveness.verdicts;
      const named = [...suspect, ...dead, ...absent];
      if (named.length > 0)
        this.#broken('views heal', `in peace, member ${i} holds ${named.length} others suspect or dead`);
    }
  }

  #appointsNobody(i: number, member: SimMember): void {
    for (const { group, appointed } of member.enforcer.held())
      if (appointed)
        this.#broken(
          'a minority gives nobody’s place away',
          `member ${i}, cut off from most, holds group ${group} as one appointed`,
        );
  }

  /** By its own verdicts: the dead are not named to clients while another copy lives. */
  #namesTheLiving(i: number, member: SimMember): void {
    const { table } = member;
    if (!table) return;
    const { dead, absent } = member.liveness.verdicts;
    if (dead.length + absent.length === 0) return;
    const isDead = (index: number) => [...dead, ...absent].includes(table.members[index]!.id);
    for (const author of this.#cluster.authors) {
      const { readers } = member.enforcer.placementOf(author)!;
      const { members } = table.locate(author);
      if (readers.some(isDead) && !members.every(isDead))
        this.#broken(
          'the dead are not asked',
          `member ${i} sends readers of ${author.slice(0, 4)} to one that it holds dead`,
        );
    }
  }

  /** The same table and verdicts: the same roles. */
  #alike(): void {
    const seen = new Map<string, string>();
    for (const member of this.#cluster.members) {
      if (!member?.table) continue;
      const { returning, dead, absent, majority } = member.enforcer.verdicts;
      const key = JSON.stringify([
        member.table.epoch,
        [returning, dead, absent].map((list) => [...list].sort()),
        majority,
      ]);
      const roles = JSON.stringify(
        this.#cluster.authors.map((author) => member.enforcer.placementOf(author)),
      );
      if (seen.has(key) && seen.get(key) !== roles)
        this.#broken('all compute alike', `two members with the same table and verdicts see other roles`);
      seen.set(key, roles);
    }
  }

  #declaredDead(observer: number, member: number): void {
    const { world, members } = this.#cluster;
    if (!members[member] || world.isPaused(member)) return;
    // As either side sees the other only where they can reach half of all.
    const badMs = Math.max(this.#badMs[member]!, this.#badMs[observer]!);
    if (world.nowMs - badMs > VERDICT_MS)
      this.#broken(
        'who works is not declared dead',
        `member ${observer} declared ${member} dead, which worked for ${Math.round(world.nowMs - badMs)} ms`,
      );
  }

  #committed(row: EpochRow, fence: number): void {
    const { tables, authors } = this.#cluster;
    if (row.fence !== fence)
      this.#broken(
        'a fenced leader writes nothing',
        `epoch ${row.epoch} was written under fence ${row.fence}, when ${fence} led`,
      );
    try {
      checkStep(tables[row.epoch - 2]!, tables[row.epoch - 1]!, (bytes, at) => {
        const prefix = Buffer.from(bytes.subarray(at, at + PREFIX_BYTES)).toString('hex');
        const key = authors.find((author) => author.startsWith(prefix));
        return key === undefined ? undefined : new Uint8Array(Buffer.from(key, 'hex'));
      });
    } catch (error) {
      this.#broken('no move skips a stage', (error as Error).message);
    }
  }

  #published(data: Uint8Array): void {
    const event: NostrEvent = JSON.parse(new TextDecoder().decode(data));
    const epoch = Number(event.tags.find(([name]) => name === 'epoch')?.[1]);
    if (this.#cluster.database.epochs[epoch - 1]?.manifestId !== event.id)
      this.#broken('nothing is published before it is committed', `epoch ${epoch} was`);
  }

  /** OK was said: two disks have it. */
  #acknowledged(id: string): void {
    this.#strong++;
    const copies = this.#cluster.disks.filter((disk) => disk.has(id)).length;
    if (copies < 2 && this.#cluster.world.nowMs - this.#faults.wipedAtMs > 10_000)
      this.#broken('OK means two durable copies', `${id} was acknowledged with ${copies}`);
  }

  /** A disk is lost: what was acknowledged stands on another. */
  #stillThere(lost: number): void {
    for (const { event } of this.#book.strong)
      if (!this.#cluster.disks.some((disk, i) => i !== lost && disk.has(event.id)))
        this.#broken('nothing acknowledged is lost', `${event.id} stood on the disk of member ${lost} alone`);
  }

  /** What is not as it should be when all was mended long ago; undefined when all is. */
  unsettled(): string | undefined {
    const { members, disks, authors, table, ids } = this.#cluster;
    if (!hasArrived(this.#cluster))
      return `${table.moves().length} groups move, or the target was not reached`;
    for (const [i, member] of members.entries()) {
      if (!member) return `member ${i} does not run`;
      const { suspect, returning, dead, absent } = member.liveness.verdicts;
      const others = [...suspect, ...returning, ...dead, ...absent];
      if (others.length > 0)
        return `member ${i} holds ${others.map((id) => ids.indexOf(id))} suspect, returning or dead`;
      if (member.table?.epoch !== table.epoch)
        return `member ${i} has epoch ${member.table?.epoch}, not ${table.epoch}`;
      if (member.filling.size > 0) return `member ${i} is filling ${member.filling.size} groups`;
      if (member.writes.spooled > 0) return `at member ${i} ${member.writes.spooled} events wait`;
    }
    for (const author of authors) {
      const { members: holders } = table.locate(author);
      for (const { event } of this.#book.strong)
        if (event.pubkey === author)
          for (const holder of holders)
            if (!disks[holder]!.events.has(event.id))
              return `member ${holder} lacks ${event.id}, which was acknowledged`;
    }
    return undefined;
  }
}
