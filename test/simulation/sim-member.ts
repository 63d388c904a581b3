import { type Input, Liveness, type LivenessConfig, type Output } from '@covey/liveness';
import type { Heartbeat } from '@covey/protocol';
import type { PlacementTable } from '@covey/table';
import { Filling } from '../../services/relay/src/members/filling.ts';
import type { Cluster } from './cluster.ts';
import type { Disk, Write } from './disk.ts';
import { MemberTable } from './member-table.ts';
import type { Message } from './messages.ts';
import { SimEnforcer } from './sim-enforcer.ts';
import { SimRepair } from './sim-repair.ts';
import { SimWrites } from './sim-writes.ts';
import type { World } from './world.ts';

/**
 * One life of a member's process: the real failure detection, enforcement, overlay, filling and table code over a disk and a
 * network that are made up. Writes and repair are models of the relay's, in the same steps and the same order.
 */
export class SimMember {
  readonly index: number;
  readonly id: string;
  readonly world: World;
  readonly cluster: Cluster;
  readonly disk: Disk;
  readonly filling = new Filling();
  readonly liveness: Liveness;
  enforcer: SimEnforcer;
  readonly writes: SimWrites;
  readonly repair: SimRepair;
  readonly tables: MemberTable;
  readonly #pending: { write: Write; done: () => void }[] = [];
  /** When each group came to be held here, in this life. */
  readonly #heldSinceMs = new Map<number, number>();
  #syncing = false;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(cluster: Cluster, index: number) {
    this.cluster = cluster;
    this.world = cluster.world;
    this.index = index;
    this.id = cluster.ids[index]!;
    this.disk = cluster.disks[index]!;
    const catchesUp = !cluster.without.has('catch up');
    this.liveness = new Liveness({
      self: this.id,
      incarnation: Math.floor(this.world.nowMs + cluster.clockErrorMs[index]!),
      serving: !catchesUp,
      nowMs: this.world.nowMs,
      random: this.world.random,
      config: livenessConfig(cluster),
    });
    this.enforcer = new SimEnforcer(undefined, this.id);
    this.writes = new SimWrites(this);
    this.repair = new SimRepair(this);
    this.world.start(index, (from, message) => this.#receive(from, message as Message));
    this.filling.onCaughtUp = () => this.step({ type: 'caught up' });
    this.tables = new MemberTable(this);
    this.repair.start();
    this.writes.start();
    this.#wake();
  }

  /** As `Failover` does. */
  get reportedVerdicts(): Heartbeat['verdicts'] {
    const { suspect, returning, dead, absent, majority } = this.liveness.verdicts;
    if (suspect.length + returning.length + dead.length + absent.length === 0 && majority) return undefined;
    return {
      suspect: [...suspect],
      returning: [...returning],
      dead: [...dead],
      absent: [...absent],
      majority,
    };
  }

  get table(): PlacementTable | undefined {
    return this.enforcer.table;
  }

  /** Public keys of members of the table. */
  idsOf(members: readonly number[]): string[] {
    return members.map((member) => this.table!.members[member]!.id);
  }

  send(to: number, message: Message): void {
    this.world.send(this.index, to, message.type, message);
  }

  /** @param done called when it is on disk */
  commit(write: Write, done: () => void = () => {}): void {
    if (this.cluster.without.has('sync before OK')) {
      this.#pending.push({ write, done: () => {} });
      done();
    } else this.#pending.push({ write, done });
    if (this.#syncing) return;
    this.#syncing = true;
    this.world.after(this.cluster.syncMs(), this.index, 'sync', () => this.#sync());
  }

  #sync(): void {
    this.#syncing = false;
    const batch = this.#pending.splice(0);
    for (const { write } of batch) {
      this.writes.write(write);
    }
    for (const { done } of batch) done();
  }

  /** A table holds from here on. */
  apply(table: PlacementTable): void {
    this.enforce(table);
    this.step({ type: 'members', members: table.members.map(({ id }) => id) });
    this.writes.rearrange();
  }

  enforce(table: PlacementTable): void {
    const { without } = this.cluster;
    const known = this.liveness.verdicts;
    const verdicts = {
      ...(without.has('overlay') ? { ...known, returning: [], dead: [], absent: [] } : known),
      majority: known.majority || without.has('majority'),
    };
    const filling = without.has('catch up') ? () => false : this.filling.has;
    this.enforcer = new SimEnforcer(table, this.id, 'forward', filling, verdicts);
    if (this.filling.update(this.enforcer)) this.writes.rearrange();
    const held = new Set(this.enforcer.held().map(({ group }) => group));
    for (const group of this.#heldSinceMs.keys()) if (!held.has(group)) this.#heldSinceMs.delete(group);
    for (const group of held)
      if (!this.#heldSinceMs.has(group)) this.#heldSinceMs.set(group, this.world.nowMs);
  }

  step(input: Input): void {
    for (const output of this.liveness.step(this.world.nowMs, input)) this.#carryOut(output);
    this.#wake();
  }

  #wake(): void {
    const atMs = Math.max(this.liveness.wakeAtMs, this.world.nowMs + 1);
    if (atMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    this.world.after(atMs - this.world.nowMs, this.index, 'tick', () => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.step({ type: 'tick' });
    });
  }

  #carryOut(output: Output): void {
    switch (output.type) {
      case 'probe':
      case 'ack':
      case 'nack': {
        const to = this.cluster.ids.indexOf(output.to);
        this.send(to, { type: 'probe', output });
        const { seq } = output;
        if (output.type === 'probe' && this.cluster.refuses(to))
          this.world.after(2, this.index, 'refused', () =>
            this.step({ type: 'unreachable', member: output.to, seq }),
          );
        return;
      }
      case 'verdicts':
        if (!this.table) return;
        this.enforce(this.table);
        for (const member of this.liveness.verdicts.dead) this.writes.passOn(member);
        return;
      case 'catch up':
        this.filling.restart();
        return;
      case 'dead':
        this.cluster.onDead(this.index, this.cluster.ids.indexOf(output.member));
        return;
      case 'suspect':
        return;
    }
  }

  #receive(from: number, message: Message): void {
    switch (message.type) {
      case 'probe':
        this.#probed(from, message.output);
        return;
      case 'lost':
        this.step({ type: 'lost', member: this.cluster.ids[from]! });
        this.writes.passOn(this.cluster.ids[from]!);
        return;
      case 'compare':
      case 'compared':
        this.repair.receive(from, message);
        return;
      case 'where': {
        const { writers = [], readers = [] } = this.enforcer.placementOf(message.pubkey) ?? {};
        this.send(from, {
          type: 'there',
          ref: message.ref,
          epoch: this.table?.epoch ?? 0,
          writers: this.idsOf(writers),
          readers: this.idsOf(readers),
        });
        return;
      }
      case 'read':
        this.#read(from, message);
        return;
      default:
        this.writes.receive(from, message);
    }
  }

  #probed(from: number, output: Extract<Output, { type: 'probe' | 'ack' | 'nack' }>): void {
    const { without, ids } = this.cluster;
    const rumours = without.has('refute')
      ? output.rumours.filter(({ member, status }) => member !== this.id || status === 'dead')
      : output.rumours;
    const target = output.type === 'probe' ? { target: output.target } : {};
    this.step({ type: output.type, from: ids[from]!, seq: output.seq, rumours, ...target } as Input);
  }

  #read(from: number, { ref, pubkey, epoch }: Extract<Message, { type: 'read' }>): void {
    const event = { kind: 1, pubkey, tags: [] };
    // As the relay's read path: what it holds by its own table it held all along only if no epoch lies between.
    const stale = epoch > (this.table?.epoch ?? 0) + 1 && !this.cluster.without.has('stale say so');
    const whole =
      !stale && this.enforcer.holds(event) && !this.enforcer.fills({ authors: [pubkey], tags: {} });
    const ids = new Set<string>();
    for (const kept of this.disk.events.values()) if (kept.pubkey === pubkey) ids.add(kept.id);
    const sinceMs = this.#heldSinceMs.get(this.enforcer.groupOf(pubkey)) ?? this.world.nowMs;
    this.send(from, { type: 'have', ref, ids, whole, sinceMs });
  }
}

/** Absences within the length of a run. */
function livenessConfig({ without }: Cluster): Partial<LivenessConfig> {
  return {
    absentMs: 15_000,
    settleMs: 5000,
    holdMsMax: 8000,
    ...(without.has('indirect probes') ? { helpers: 0 } : {}),
    ...(without.has('probe the dead') ? { deadProbeMs: 1e12 } : {}),
  };
}
