import type { LivenessConfig } from './config.ts';

interface Probe {
  target: string;
  /** Until the target itself was to answer; then helpers are asked. */
  directAtMs: number;
  failedAtMs: number;
  helpers: readonly string[] | undefined;
  /** Helpers that said that they could not reach it either: so they, and the way to them, work. */
  nacks: Set<string>;
}

/** A probe that is made for another member. */
interface Errand {
  for: string;
  /** Its number there. */
  seq: number;
  target: string;
  untilMs: number;
}

/** Errands for others at a time. */
const ERRANDS_MAX = 256;
/** An errand must be back before its asker's probe has failed. */
const ERRAND_PART = 0.75;

/** Probes that are under way: at most one of each member, and those made on behalf of others. */
export class Probes {
  readonly #config: LivenessConfig;
  readonly #own = new Map<number, Probe>();
  readonly #targets = new Set<string>();
  readonly #errands = new Map<number, Errand>();
  #seq = 0;

  constructor(config: LivenessConfig) {
    this.#config = config;
  }

  isProbed(target: string): boolean {
    return this.#targets.has(target);
  }

  /** @param multiplier of times, by this member's own health. @returns the number of the probe */
  start(target: string, nowMs: number, multiplier: number): number {
    const { directMs, failedMs } = this.#config;
    this.#targets.add(target);
    this.#own.set(++this.#seq, {
      target,
      directAtMs: nowMs + directMs * multiplier,
      failedAtMs: nowMs + failedMs * multiplier,
      helpers: undefined,
      nacks: new Set(),
    });
    return this.#seq;
  }

  /** @returns the number of the errand's probe; undefined when there are too many */
  startErrand(errand: Omit<Errand, 'untilMs'>, nowMs: number): number | undefined {
    if (this.#errands.size >= ERRANDS_MAX) return undefined;
    this.#errands.set(++this.#seq, { ...errand, untilMs: nowMs + this.#config.directMs * ERRAND_PART });
    return this.#seq;
  }

  /** An answer. @returns the target of the own probe that it answers, or the errand */
  acked(seq: number, from: string): { target: string | undefined; errand: Errand | undefined } {
    const probe = this.#own.get(seq);
    if (probe && (from === probe.target || probe.helpers?.includes(from))) {
      this.#end(seq, probe);
      return { target: probe.target, errand: undefined };
    }
    const errand = this.#errands.get(seq);
    if (errand?.target !== from) return { target: undefined, errand: undefined };
    this.#errands.delete(seq);
    return { target: undefined, errand };
  }

  nacked(seq: number, from: string): void {
    const probe = this.#own.get(seq);
    if (probe?.helpers?.includes(from)) probe.nacks.add(from);
  }

  /** The message could not even be sent. */
  unreachable(seq: number, member: string, nowMs: number): void {
    const probe = this.#own.get(seq);
    if (probe?.target === member) probe.directAtMs = Math.min(probe.directAtMs, nowMs);
    const errand = this.#errands.get(seq);
    if (errand?.target === member) errand.untilMs = Math.min(errand.untilMs, nowMs);
  }

  /** Probes that nobody has answered directly, and who is asked to help now: none when there is nobody. */
  needHelp(
    nowMs: number,
    helpersFor: (target: string) => readonly string[],
  ): { seq: number; target: string; helpers: readonly string[] }[] {
    const asked = [];
    for (const [seq, probe] of this.#own) {
      if (probe.helpers || probe.directAtMs > nowMs) continue;
      probe.helpers = helpersFor(probe.target);
      if (probe.helpers.length === 0) probe.failedAtMs = Math.min(probe.failedAtMs, nowMs);
      asked.push({ seq, target: probe.target, helpers: probe.helpers });
    }
    return asked;
  }

  /** Probes that failed, each with how many helpers said nothing at all. */
  failed(nowMs: number): { target: string; silentHelpers: number; alone: boolean }[] {
    const over = [];
    for (const [seq, probe] of this.#own) {
      const { target, helpers = [], nacks, failedAtMs } = probe;
      // When every helper has said no, there is nothing left to wait for.
      const isOver = failedAtMs <= nowMs || (helpers.length > 0 && nacks.size === helpers.length);
      if (!isOver) continue;
      this.#end(seq, probe);
      over.push({ target, silentHelpers: helpers.length - nacks.size, alone: helpers.length === 0 });
    }
    return over;
  }

  /** Errands that came to nothing. */
  failedErrands(nowMs: number): Errand[] {
    const over = [];
    for (const [seq, errand] of this.#errands)
      if (errand.untilMs <= nowMs) {
        this.#errands.delete(seq);
        over.push(errand);
      }
    return over;
  }

  forget(member: string): void {
    for (const [seq, probe] of this.#own) if (probe.target === member) this.#end(seq, probe);
  }

  clear(): void {
    this.#own.clear();
    this.#targets.clear();
    this.#errands.clear();
  }

  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { helpers, directAtMs, failedAtMs } of this.#own.values())
      next = Math.min(next, helpers ? failedAtMs : directAtMs);
    for (const { untilMs } of this.#errands.values()) next = Math.min(next, untilMs);
    return next;
  }

  #end(seq: number, probe: Probe): void {
    this.#own.delete(seq);
    this.#targets.delete(probe.target);
  }
}
