import type { Rough } from './book.ts';
import type { Cluster } from './cluster.ts';
import { COORDINATORS, NATS, POSTGRES, type World } from './world.ts';

/** Longest time between two faults. */
const PAUSE_MS_MAX = 8000;
/** After so long in peace everything counts as healed: verdicts, catching up, copies. */
const SETTLE_MS = 25_000;

/**
 * What goes wrong, drawn from the seed: kills (silent or not), restarts, disks lost, processes that stand still, partitions,
 * links cut one by one, loss, messages twice, slow disks; coordinators killed, standing still or cut off, PostgreSQL and NATS
 * killed, streams wiped, old manifests said again. In half of the seeds all of it, one upon the
 * other; in the others one thing at a time, so that what must hold then can be judged strictly. One disk at a time is lost, when the
 * others are healed: what is acknowledged stands on two.
 */
export class Faults implements Rough {
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #cut = new Set<string>();
  /** Cut between a process and a service; members can do without. */
  readonly #cutOff = new Set<string>();
  #sides: Set<number> | undefined;
  #over = false;
  /** One thing at a time. */
  readonly #single: boolean;
  untilMs = 0;
  cutOffMs = 0;
  /** Until when anything was broken, messages lost included. */
  brokenUntilMs = 0;
  /** When a disk was lost. */
  wipedAtMs = Number.NEGATIVE_INFINITY;
  /** Called when a disk is about to be lost. */
  onWipe: (member: number) => void = () => {};
  readonly told: string[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#world = cluster.world;
    const { world } = cluster;
    this.#single = world.chance(0.5);
    world.passes = (from, to) =>
      !this.#cut.has(`${from} ${to}`) &&
      !this.#cutOff.has(`${from} ${to}`) &&
      (!this.#sides || this.#sides.has(from) === this.#sides.has(to) || from >= 1000 || to >= 1000);
    world.weather.delayMsMax = world.pick([5, 20, 20, 100]);
    world.weather.loss = world.pick([0, 0, 0.01, 0.05]);
    world.weather.twice = world.pick([0, 0.02]);
    this.#next();
  }

  #next(): void {
    this.#world.after(this.#world.between(500, PAUSE_MS_MAX), undefined, 'fault', () => {
      if (this.#over) return;
      this.#fault();
      this.look();
      this.#next();
    });
  }

  #tell(text: string): void {
    this.told.push(`${((this.#world.nowMs - this.#world.startMs) / 1000).toFixed(1)} s: ${text}`);
  }

  /** Members that do not work now. */
  get #down(): number {
    return this.#cluster.ids.filter((_, i) => !this.#cluster.members[i] || this.#world.isPaused(i)).length;
  }

  /** Members that do not work now, or have yet to catch up. */
  get #broken(): number {
    return this.#cluster.ids.filter((id, i) => {
      const member = this.#cluster.members[i];
      return !member || this.#world.isPaused(i) || member.liveness.verdicts.returning.includes(id);
    }).length;
  }

  get isParted(): boolean {
    return this.#sides !== undefined;
  }

  /** Links that are cut. */
  get cutLinks(): number {
    return this.#cut.size / 2;
  }

  /** Notes how much is broken. Call it now and then. */
  look(): void {
    const { nowMs } = this.#world;
    const cut = this.#cut.size > 0 || this.#sides !== undefined;
    if (this.#broken > 1 || cut) this.untilMs = nowMs;
    if (this.#down > 1 || cut) this.cutOffMs = nowMs;
    if (this.#broken > 0 || cut) this.brokenUntilMs = nowMs;
  }

  /** Members that work and that `member` reaches, itself among them, if need be through others. */
  reachedFrom(member: number): ReadonlySet<number> {
    const world = this.#world;
    const works = (i: number) => this.#cluster.members[i] !== undefined && !world.isPaused(i);
    const reached = new Set([member]);
    for (const from of reached)
      for (const to of this.#cluster.ids.keys())
        if (works(to) && world.passes(from, to) && world.passes(to, from)) reached.add(to);
    return reached;
  }

  /** Whether some member that works can't be probed by `member`, neither directly nor through one other. */
  isApart(member: number): boolean {
    const world = this.#world;
    const working = [...this.#cluster.ids.keys()].filter(
      (i) => this.#cluster.members[i] !== undefined && !world.isPaused(i),
    );
    const linked = (a: number, b: number) => a === b || (world.passes(a, b) && world.passes(b, a));
    return working.some((other) => !working.some((via) => linked(member, via) && linked(via, other)));
  }

  /** Everything was well for long. */
  get healed(): boolean {
    return this.#world.nowMs - this.brokenUntilMs > SETTLE_MS && this.#broken === 0;
  }

  #fault(): void {
    const world = this.#world;
    const cluster = this.#cluster;
    const member = world.between(0, cluster.size - 1);
    if (this.#single && (this.#broken > 0 || this.#cut.size > 0 || this.#sides)) {
      if (this.#down === 0) {
        this.#cut.clear();
        this.#sides = undefined;
      }
      return;
    }
    const isDown = cluster.members[member] === undefined;
    if (isDown) {
      this.#restart(member);
      return;
    }
    switch (world.between(0, 12)) {
      case 0:
      case 1:
      case 2:
        this.#kill(member, world.chance(0.5));
        return;
      case 3:
        if (!this.healed) return;
        this.#kill(member, world.chance(0.5));
        this.#tell(`member ${member} loses its disk`);
        this.onWipe(member);
        this.wipedAtMs = world.nowMs;
        cluster.disks[member]!.wipe();
        return;
      case 4:
      case 5:
        if (world.isPaused(member)) {
          this.#tell(`member ${member} goes on`);
          world.resume(member);
        } else {
          this.#tell(`member ${member} stands still`);
          world.pause(member);
          world.after(world.between(1000, 20_000), undefined, 'go on', () => world.resume(member));
        }
        return;
      case 6: {
        this.#sides = this.#sides
          ? undefined
          : new Set([...cluster.ids.keys(), ...COORDINATORS, POSTGRES, NATS].filter(() => world.chance(0.4)));
        this.#tell(this.#sides ? `the network is parted: ${[...this.#sides]}` : 'the network is whole again');
        return;
      }
      case 7: {
        const other = (member + world.between(1, cluster.size - 1)) % cluster.size;
        if (this.#cut.size > 3) this.#cut.clear();
        else this.#cut.add(`${member} ${other}`).add(`${other} ${member}`);
        this.#tell(this.#cut.size === 0 ? 'links are mended' : `the link of ${member} and ${other} is cut`);
        return;
      }
      case 8:
        cluster.syncMsMax = world.pick([5, 20, 400]);
        this.#tell(`syncs take up to ${cluster.syncMsMax} ms`);
        return;
      case 9:
      case 10:
        this.#serviceFault();
        return;
      default:
        // A pause.
        return;
    }
  }

  /** Of what members can do without for days. It comes back by itself. */
  #serviceFault(): void {
    const world = this.#world;
    const cluster = this.#cluster;
    const later = (text: string, run: () => void) =>
      world.after(world.between(500, 25_000), undefined, text, () => {
        if (!this.#over) run();
      });
    const number = world.between(0, COORDINATORS.length - 1);
    const address = COORDINATORS[number]!;
    switch (world.between(0, 8)) {
      case 0:
      case 1:
        if (!cluster.coordinators[number]) return;
        this.#tell(`coordinator ${number} is killed`);
        world.resume(address);
        cluster.killCoordinator(number);
        later('coordinator', () => this.#startCoordinator(number));
        return;
      case 2:
        if (!cluster.coordinators[number]) return;
        this.#tell(`coordinator ${number} stands still`);
        world.pause(address);
        later('coordinator', () => world.resume(address));
        return;
      case 3:
        if (!world.isRunning(POSTGRES)) return;
        this.#tell('PostgreSQL is killed');
        cluster.database.kill();
        later('PostgreSQL', () => cluster.database.restart());
        return;
      case 4:
        if (!world.isRunning(NATS)) return;
        this.#tell('NATS is killed');
        cluster.nats.kill();
        later('NATS', () => {
          if (world.chance(0.3)) cluster.nats.wipe();
          cluster.nats.restart();
        });
        return;
      case 6:
      case 7:
        this.#cutOffFromService();
        return;
      case 5:
        this.#tell('the streams of NATS are wiped');
        cluster.nats.wipe();
        return;
      default:
        this.#tell('an old manifest is said again');
        cluster.repeatManifest();
    }
  }

  #cutOffFromService(): void {
    const world = this.#world;
    const process = world.pick([...this.#cluster.ids.keys(), ...COORDINATORS]);
    const service = process < POSTGRES || world.chance(0.5) ? NATS : POSTGRES;
    this.#tell(`${process} is cut off from ${service === NATS ? 'NATS' : 'PostgreSQL'}`);
    const links = [`${process} ${service}`, `${service} ${process}`];
    for (const link of links) this.#cutOff.add(link);
    world.after(world.between(5_000, 40_000), undefined, 'not cut off', () => {
      for (const link of links) this.#cutOff.delete(link);
    });
  }

  #startCoordinator(number: number): void {
    this.#tell(`coordinator ${number} starts`);
    this.#cluster.startCoordinator(number);
  }

  #kill(member: number, silently: boolean): void {
    this.#tell(`member ${member} is killed${silently ? ' and its machine is gone' : ''}`);
    this.#world.resume(member);
    this.#cluster.killMember(member, silently);
    // Back by itself, mostly: now and then after so long that others were given its places.
    if (this.#single || this.#world.chance(0.6))
      this.#world.after(this.#world.between(500, 30_000), undefined, 'restart', () => {
        if (!this.#cluster.members[member]) this.#restart(member);
      });
  }

  #restart(member: number): void {
    this.#tell(`member ${member} starts`);
    this.#cluster.startMember(member);
  }

  /** Mends everything. */
  heal(): void {
    this.#over = true;
    this.#sides = undefined;
    this.#cut.clear();
    this.#cutOff.clear();
    this.#world.weather.loss = 0;
    this.#cluster.syncMsMax = 20;
    const { database, nats, coordinators } = this.#cluster;
    if (!this.#world.isRunning(POSTGRES)) database.restart();
    if (!this.#world.isRunning(NATS)) nats.restart();
    for (const [number, address] of COORDINATORS.entries()) {
      this.#world.resume(address);
      if (!coordinators[number]) this.#startCoordinator(number);
    }
    for (let i = 0; i < this.#cluster.size; i++) {
      this.#world.resume(i);
      if (!this.#cluster.members[i]) this.#restart(i);
    }
    this.#tell('all is mended');
  }
}
