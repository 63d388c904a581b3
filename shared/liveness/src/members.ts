import type { LivenessConfig } from './config.ts';
import { BY_MAX, type Rumour, type Status, supersedes } from './rumour.ts';
import { suspicionMs } from './suspicion.ts';
import type { Verdicts } from './verdicts.ts';

/** What is held of one other member. */
interface Held {
  status: Status;
  incarnation: number;
  /** As it last said of itself: a suspect keeps its place until there is a verdict. */
  serving: boolean;
  /** When it was heard from directly. */
  heardAtMs: number;
  /** When it was suspected, or declared dead. */
  sinceMs: number;
  /** Who suspects it. */
  by: Set<string>;
  /** A verdict from before this process stood still, that nothing has confirmed since. */
  outdated: boolean;
}

const NEVER = Number.NEGATIVE_INFINITY;
/** Incarnations start from a clock: nobody's is further ahead than this, and who says so is not believed. */
const INCARNATION_AHEAD_MS = 24 * 3_600_000;

/** What this member holds of every other one, by its own probes and by what is told. */
export class Members {
  readonly #config: LivenessConfig;
  readonly #held = new Map<string, Held>();
  /** Others, in a fixed order. */
  #list: readonly string[] = [];
  /** Raised by every change. */
  version = 0;

  constructor(config: LivenessConfig) {
    this.#config = config;
  }

  get list(): readonly string[] {
    return this.#list;
  }

  /** Takes over who is a member. @returns those that are no longer */
  update(members: readonly string[]): string[] {
    const gone = this.#list.filter((member) => !members.includes(member));
    for (const member of gone) this.#held.delete(member);
    for (const member of members)
      if (!this.#held.has(member))
        this.#held.set(member, {
          status: 'alive',
          incarnation: 0,
          serving: true,
          heardAtMs: NEVER,
          sinceMs: 0,
          by: new Set(),
          outdated: false,
        });
    this.#list = [...members];
    this.version++;
    return gone;
  }

  has(member: string): boolean {
    return this.#held.has(member);
  }

  status(member: string): Status | undefined {
    return this.#held.get(member)?.status;
  }

  /** Worth a probe, or the help of: not dead. */
  get living(): string[] {
    return this.#list.filter((member) => this.#held.get(member)!.status !== 'dead');
  }

  get dead(): string[] {
    return this.#list.filter((member) => this.#held.get(member)!.status === 'dead');
  }

  /** An outdated verdict is told as a suspicion: who hears it looks for itself, and who works refutes it. */
  rumourOf(member: string): Rumour | undefined {
    const held = this.#held.get(member);
    if (!held) return undefined;
    const { status, incarnation, by, outdated } = held;
    if (outdated) return { member, status: 'suspect', incarnation, by: [] };
    return { member, status, incarnation, by: status === 'suspect' ? [...by].slice(0, BY_MAX) : [] };
  }

  heard(member: string, nowMs: number): void {
    const held = this.#held.get(member);
    if (held) held.heardAtMs = nowMs;
  }

  /** A probe of this member's own was in vain. @returns whether that is news */
  suspect(member: string, self: string, nowMs: number): boolean {
    const { incarnation } = this.#held.get(member) ?? { incarnation: 0 };
    return this.take({ member, status: 'suspect', incarnation, by: [self] }, nowMs);
  }

  /** Believes a rumour when it is news. @returns whether it was */
  take(rumour: Rumour, nowMs: number): boolean {
    const held = this.#held.get(rumour.member);
    if (!held || rumour.incarnation > nowMs + INCARNATION_AHEAD_MS) return false;
    const told = this.#doubted(rumour, held, nowMs);
    if (told.status === 'dead' && told.incarnation === held.incarnation) held.outdated = false;
    if (supersedes(told, held)) {
      const isNewer = told.incarnation > held.incarnation;
      const isServing = told.status === 'alive';
      // Of a suspect, or a dead one, whose last words were not heard here: it is taken to be catching up.
      if (isNewer || held.status === 'dead') held.serving = isServing;
      held.status = told.status;
      held.incarnation = told.incarnation;
      held.sinceMs = nowMs;
      held.by = new Set(told.by.slice(0, BY_MAX));
      held.outdated = false;
      this.version++;
      return true;
    }
    if (told.status !== 'suspect' || held.status !== 'suspect' || told.incarnation !== held.incarnation)
      return false;
    const before = held.by.size;
    for (const member of told.by) if (held.by.size < BY_MAX) held.by.add(member);
    return held.by.size > before;
  }

  /** The death of a member that was heard a moment ago is doubted: a liar, or one that lost sight of it, may have said so. */
  #doubted(rumour: Rumour, held: Held, nowMs: number): Rumour {
    const isDoubted = rumour.status === 'dead' && nowMs - held.heardAtMs < this.#config.periodMs;
    return isDoubted ? { ...rumour, status: 'suspect' } : rumour;
  }

  /** How long nothing was heard of a member directly; undefined when it never was. */
  silentMs(member: string, nowMs: number): number | undefined {
    const heardAtMs = this.#held.get(member)?.heardAtMs ?? NEVER;
    return heardAtMs === NEVER ? undefined : nowMs - heardAtMs;
  }

  /** Suspicions whose time is over become verdicts. @returns of whom */
  expire(nowMs: number): string[] {
    const over = this.#list.filter((member) => this.#verdictAtMs(member) <= nowMs);
    for (const member of over) {
      const held = this.#held.get(member)!;
      held.status = 'dead';
      held.sinceMs = nowMs;
      held.by.clear();
      this.version++;
    }
    return over;
  }

  #verdictAtMs(member: string): number {
    const { status, sinceMs, heardAtMs, by } = this.#held.get(member)!;
    if (status !== 'suspect') return Number.POSITIVE_INFINITY;
    // The suspect itself and the first to suspect it do not count among those who could confirm.
    const overMs = sinceMs + suspicionMs(this.#config, by.size - 1, this.living.length - 1);
    // Who was heard a moment ago lives, even if its answers went astray: it hears of the suspicion, and refutes it.
    return Math.max(overMs, heardAtMs + this.#config.periodMs);
  }

  /** This process stood still: what it waited for meanwhile says nothing, and whom it held dead may be back. */
  shift(ms: number): void {
    for (const held of this.#held.values()) {
      if (held.status === 'suspect') held.sinceMs += ms;
      held.outdated = held.status === 'dead';
    }
  }

  /** A probe of this member's own says that it is dead still. */
  confirmDead(member: string): void {
    const held = this.#held.get(member);
    if (held) held.outdated = false;
  }

  /** When the next suspicion becomes a verdict. */
  get verdictMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#list.map((member) => this.#verdictAtMs(member)));
  }

  /** When the next death becomes an absence. */
  absenceMs(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { status, sinceMs } of this.#held.values()) {
      const absentAtMs = sinceMs + this.#config.absentMs;
      if (status === 'dead' && absentAtMs > nowMs) next = Math.min(next, absentAtMs);
    }
    return next;
  }

  /**
   * @param self this member
   * @param serving whether it serves
   * @param settled whether it has been here for long enough to claim a majority
   */
  verdicts(self: string, serving: boolean, settled: boolean, nowMs: number): Verdicts {
    const lists = {
      suspect: [] as string[],
      returning: serving ? [] : [self],
      dead: [] as string[],
      absent: [] as string[],
    };
    let living = 1;
    for (const { status } of this.#held.values()) if (status === 'alive' || status === 'returning') living++;
    const majority = settled && living * 2 > this.#list.length + 1;
    for (const member of this.#list) {
      const { status, sinceMs, serving: serves } = this.#held.get(member)!;
      if (status === 'dead')
        lists[majority && nowMs - sinceMs >= this.#config.absentMs ? 'absent' : 'dead'].push(member);
      else if (!serves) lists.returning.push(member);
      else if (status === 'suspect') lists.suspect.push(member);
    }
    return { ...lists, majority };
  }
}
