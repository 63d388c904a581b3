import { DEFAULT_LIVENESS, type LivenessConfig } from './config.ts';
import { Gossip } from './gossip.ts';
import { LocalHealth } from './local-health.ts';
import { Members } from './members.ts';
import { Probes } from './probes.ts';
import type { Rumour } from './rumour.ts';
import type { Verdicts } from './verdicts.ts';

export type Input =
  | { type: 'tick' }
  /** Public keys of all members of the table, this one among them or not. */
  | { type: 'members'; members: readonly string[] }
  /** @param target set when another member asks to probe that one for it */
  | { type: 'probe'; from: string; seq: number; rumours: readonly Rumour[]; target?: string | undefined }
  /** Answers; a `nack` says that the target could not be reached from there either. */
  | { type: 'ack' | 'nack'; from: string; seq: number; rumours: readonly Rumour[] }
  /** A probe could not be sent: the connection was refused. */
  | { type: 'unreachable'; member: string; seq: number }
  /** A connection from or to it broke. */
  | { type: 'lost'; member: string }
  /** What this member missed was brought here. */
  | { type: 'caught up' };

export type Output =
  | { type: 'probe'; to: string; seq: number; rumours: readonly Rumour[]; target?: string }
  | { type: 'ack' | 'nack'; to: string; seq: number; rumours: readonly Rumour[] }
  | { type: 'verdicts'; verdicts: Verdicts }
  /** A verdict: since when nothing was heard of the member directly; undefined when nothing ever was. */
  | { type: 'dead'; member: string; silentMs: number | undefined }
  /** A suspicion of this member's own. */
  | { type: 'suspect'; member: string }
  /** Others went on without this member, or may have: it has to fetch what it missed, and then say `caught up`. */
  | { type: 'catch up'; reason: 'declared dead' | 'stood still' };

/** It is looked at the clock at least so often, to notice that this process stood still. */
const WAKE_MS_MAX = 1000;

/**
 * Who of the members is alive: SWIM (Das, Gupta, Motivala 2002) with Lifeguard (Dadgar, Phillips, Currey 2018). Probes go
 * round, others are asked to probe before a suspicion, a suspicion can be refuted, news travels with probes. A step machine:
 * no clock, no I/O, no randomness of its own; the same inputs give the same outputs.
 *
 * Beyond the papers: several probes a round; a broken connection, and the first news of a suspicion, are probed at once; bad news is passed on at once; the
 * dead are probed for return; every message also carries what is known of a few members in turn, so that views converge
 * whatever was lost; who was declared dead, or stood still, catches up before it serves (`returning`).
 */
export class Liveness {
  readonly #self: string;
  readonly #config: LivenessConfig;
  readonly #random: () => number;
  readonly #members: Members;
  readonly #probes: Probes;
  readonly #gossip = new Gossip();
  readonly #health = new LocalHealth();
  #incarnation: number;
  #serving: boolean;
  #caughtUp = false;
  #deaths = 0;
  #holdUntilMs = 0;
  #round: string[] = [];
  #nextRoundMs: number;
  #nextDeadProbeMs: number;
  #deadTurn = 0;
  #lastStepMs: number;
  readonly #settledAtMs: number;
  /** What the verdicts were made from, and until when they hold. */
  #said = { version: -1, serving: false, untilMs: 0, text: '' };
  #verdicts: Verdicts;

  /**
   * @param incarnation Unix milliseconds of the start: higher than that of any earlier life, if clocks are right; if not,
   * the others' first answers set it right
   * @param serving false when it has to catch up first, as after every start with others around
   * @param random from 0 up to, not including, 1
   */
  constructor(options: {
    self: string;
    incarnation: number;
    serving: boolean;
    nowMs: number;
    random: () => number;
    config?: Partial<LivenessConfig> | undefined;
  }) {
    this.#self = options.self;
    this.#config = { ...DEFAULT_LIVENESS, ...options.config };
    this.#random = options.random;
    this.#incarnation = options.incarnation;
    this.#serving = options.serving;
    this.#members = new Members(this.#config);
    this.#probes = new Probes(this.#config);
    this.#lastStepMs = options.nowMs;
    // Members that start together do not probe together.
    this.#nextRoundMs = options.nowMs + this.#random() * this.#config.periodMs;
    this.#nextDeadProbeMs = options.nowMs + this.#config.deadProbeMs;
    this.#settledAtMs = options.nowMs + this.#config.settleMs;
    this.#verdicts = this.#members.verdicts(this.#self, this.#serving, false, options.nowMs);
  }

  get verdicts(): Verdicts {
    return this.#verdicts;
  }

  /** What is held of another member, as it would be told. */
  rumourOf(member: string): Rumour | undefined {
    return this.#members.rumourOf(member);
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Slowness of this member itself: 1 when all is well. */
  get slowness(): number {
    return this.#health.multiplier;
  }

  /** When the next `tick` is due. */
  get wakeAtMs(): number {
    return Math.min(
      this.#lastStepMs + WAKE_MS_MAX,
      this.#nextRoundMs,
      this.#nextDeadProbeMs,
      this.#probes.nextMs,
      this.#members.verdictMs,
      this.#said.untilMs,
      !this.#serving && this.#caughtUp ? this.#holdUntilMs : Number.POSITIVE_INFINITY,
    );
  }

  /** @param nowMs Unix milliseconds by a clock that does not jump */
  step(nowMs: number, input: Input): Output[] {
    const outputs: Output[] = [];
    const gapMs = nowMs - this.#lastStepMs;
    this.#lastStepMs = Math.max(nowMs, this.#lastStepMs);
    if (gapMs > this.#config.pauseMs) this.#stoodStill(gapMs, outputs);
    this.#take(nowMs, input, outputs);
    this.#advance(nowMs, outputs);
    this.#say(nowMs, outputs);
    return outputs;
  }

  /** Tells of the verdicts when they have changed. */
  #say(nowMs: number, outputs: Output[]): void {
    const { version } = this.#members;
    const said = this.#said;
    if (version === said.version && this.#serving === said.serving && nowMs < said.untilMs) return;
    const settled = nowMs >= this.#settledAtMs;
    const verdicts = this.#members.verdicts(this.#self, this.#serving, settled, nowMs);
    const text = JSON.stringify(verdicts);
    const untilMs = Math.min(
      this.#members.absenceMs(nowMs),
      settled ? Number.POSITIVE_INFINITY : this.#settledAtMs,
    );
    this.#said = { version, serving: this.#serving, untilMs, text };
    if (text === said.text) return;
    this.#verdicts = verdicts;
    outputs.push({ type: 'verdicts', verdicts });
  }

  #stoodStill(ms: number, outputs: Output[]): void {
    this.#probes.clear();
    this.#members.shift(ms);
    if (this.#members.list.length === 0) return;
    this.#health.note(1);
    this.#stepDown(this.#incarnation + 1);
    outputs.push({ type: 'catch up', reason: 'stood still' });
  }

  /** It serves no more until it has caught up, and says so. */
  #stepDown(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#serving = false;
    this.#caughtUp = false;
    this.#gossip.news(this.#self);
  }

  #take(nowMs: number, input: Input, outputs: Output[]): void {
    switch (input.type) {
      case 'tick':
        return;
      case 'members': {
        const others = input.members.filter((member) => member !== this.#self).sort();
        for (const member of this.#members.update(others)) {
          this.#gossip.forget(member);
          this.#probes.forget(member);
        }
        this.#round = this.#round.filter((member) => this.#members.has(member));
        return;
      }
      case 'probe':
        this.#probed(nowMs, input, outputs);
        return;
      case 'ack': {
        if (!this.#hear(nowMs, input, outputs)) return;
        const { target, errand } = this.#probes.acked(input.seq, input.from);
        if (target !== undefined) {
          this.#health.note(-1);
          this.#members.heard(target, nowMs); // also where another member reached it
        }
        if (errand) outputs.push(this.#answer('ack', errand.for, errand.seq, errand.target));
        return;
      }
      case 'nack':
        if (this.#hear(nowMs, input, outputs)) this.#probes.nacked(input.seq, input.from);
        return;
      case 'unreachable':
        this.#probes.unreachable(input.seq, input.member, nowMs);
        return;
      case 'lost':
        this.#probeNow(nowMs, input.member, outputs);
        return;
      case 'caught up':
        this.#caughtUp = true;
        return;
    }
  }

  #probed(nowMs: number, input: Extract<Input, { type: 'probe' }>, outputs: Output[]): void {
    if (!this.#hear(nowMs, input, outputs)) return;
    const { from, seq, target } = input;
    if (target === undefined || target === this.#self) {
      outputs.push(this.#answer('ack', from, seq));
      return;
    }
    const errand = this.#members.has(target)
      ? this.#probes.startErrand({ for: from, seq, target }, nowMs)
      : undefined;
    if (errand === undefined) outputs.push(this.#answer('nack', from, seq, target));
    else outputs.push({ type: 'probe', to: target, seq: errand, rumours: this.#rumours(target) });
  }

  /** Takes what comes with any message of another member. @returns whether it is one */
  #hear(
    nowMs: number,
    { from, rumours }: { from: string; rumours: readonly Rumour[] },
    outputs: Output[],
  ): boolean {
    if (!this.#members.has(from)) return false;
    this.#members.heard(from, nowMs);
    for (const rumour of rumours) {
      const before = this.#members.status(rumour.member);
      if (rumour.member === this.#self) this.#refute(nowMs, rumour, outputs);
      else if (this.#members.take(rumour, nowMs)) {
        // Of one that is dead already, this is the death of a later life.
        if (this.#members.status(rumour.member) === 'dead' && before !== 'dead')
          this.#died(nowMs, rumour.member, outputs);
        else this.#news(nowMs, rumour.member, outputs);
        // Its own probe says whether it confirms: a verdict needs several that saw for themselves.
        if (this.#members.status(rumour.member) === 'suspect' && !rumour.by.includes(this.#self))
          this.#probeNow(nowMs, rumour.member, outputs);
      }
    }
    return true;
  }

  /** Something is said of this member that is not so. */
  #refute(nowMs: number, { status, incarnation }: Rumour, outputs: Output[]): void {
    if (incarnation < this.#incarnation) return;
    if (status === 'dead') {
      const { holdMsMin, holdMsMax } = this.#config;
      // Who dies again and again takes its roles back later each time.
      this.#holdUntilMs = nowMs + Math.min(holdMsMax, holdMsMin * 2 ** Math.min(30, this.#deaths++));
      this.#stepDown(incarnation + 1);
      outputs.push({ type: 'catch up', reason: 'declared dead' });
      return;
    }
    if (status === 'suspect') this.#health.note(1);
    // The same incarnation, alive, is what it said itself; a higher one is of an earlier life.
    else if (incarnation === this.#incarnation) return;
    this.#incarnation = incarnation + 1;
    this.#gossip.news(this.#self);
  }

  #advance(nowMs: number, outputs: Output[]): void {
    for (const errand of this.#probes.failedErrands(nowMs))
      outputs.push(this.#answer('nack', errand.for, errand.seq, errand.target));
    for (const { seq, target, helpers } of this.#probes.needHelp(nowMs, (target) => this.#helpers(target)))
      for (const to of helpers) outputs.push({ type: 'probe', to, seq, rumours: this.#rumours(to), target });
    for (const { target, silentHelpers, alone } of this.#probes.failed(nowMs)) {
      if (this.#members.status(target) === 'dead') {
        this.#members.confirmDead(target);
        continue;
      }
      this.#health.note(alone ? 1 : silentHelpers);
      if (!this.#members.suspect(target, this.#self, nowMs)) continue;
      outputs.push({ type: 'suspect', member: target });
      this.#news(nowMs, target, outputs);
    }
    for (const member of this.#members.expire(nowMs)) this.#died(nowMs, member, outputs);
    if (!this.#serving && this.#caughtUp && nowMs >= this.#holdUntilMs) {
      this.#serving = true;
      this.#incarnation++;
      this.#gossip.news(this.#self);
    }
    if (nowMs >= this.#nextRoundMs) this.#startRound(nowMs, outputs);
    if (nowMs >= this.#nextDeadProbeMs) this.#probeDead(nowMs, outputs);
  }

  #startRound(nowMs: number, outputs: Output[]): void {
    this.#nextRoundMs = nowMs + this.#config.periodMs * this.#health.multiplier;
    const living = new Set(this.#members.living);
    const wanted = Math.min(this.#config.probesPerPeriod, living.size);
    const probed = new Set<string>();
    for (let i = 0; probed.size < wanted && i < 2 * (living.size + 1); i++) {
      if (this.#round.length === 0) this.#round = shuffled([...living], this.#random);
      const next = this.#round.pop()!;
      if (!living.has(next) || probed.has(next)) continue;
      probed.add(next);
      this.#probeNow(nowMs, next, outputs);
    }
  }

  #probeDead(nowMs: number, outputs: Output[]): void {
    this.#nextDeadProbeMs = nowMs + this.#config.deadProbeMs * (0.75 + this.#random() / 2);
    const { dead } = this.#members;
    if (dead.length > 0) this.#probeNow(nowMs, dead[this.#deadTurn++ % dead.length]!, outputs);
  }

  #probeNow(nowMs: number, target: string, outputs: Output[]): void {
    if (!this.#members.has(target) || this.#probes.isProbed(target)) return;
    const seq = this.#probes.start(target, nowMs, this.#health.multiplier);
    outputs.push({ type: 'probe', to: target, seq, rumours: this.#rumours(target) });
  }

  #died(nowMs: number, member: string, outputs: Output[]): void {
    outputs.push({ type: 'dead', member, silentMs: this.#members.silentMs(member, nowMs) });
    this.#news(nowMs, member, outputs);
  }

  /** News goes along with every message; bad news does not wait for one. */
  #news(nowMs: number, about: string, outputs: Output[]): void {
    this.#gossip.news(about);
    const status = this.#members.status(about);
    if (status !== 'suspect' && status !== 'dead') return;
    for (const member of this.#others(about).slice(0, this.#config.spread))
      this.#probeNow(nowMs, member, outputs);
  }

  /** Nobody is asked to help with the dead: they are only probed for return. */
  #helpers(target: string): string[] {
    if (this.#members.status(target) === 'dead') return [];
    return this.#others(target).slice(0, this.#config.helpers);
  }

  /** Members beside this one that are not even suspected, in random order. */
  #others(than: string): string[] {
    const others = this.#members.living.filter(
      (member) => member !== than && this.#members.status(member) !== 'suspect',
    );
    return shuffled(others, this.#random);
  }

  #answer(type: 'ack' | 'nack', to: string, seq: number, about?: string): Output {
    return { type, to, seq, rumours: this.#rumours(to, about) };
  }

  /** What goes along: of itself, of whom it goes to, then news. */
  #rumours(to: string, about: string = to): Rumour[] {
    return this.#gossip.pick([this.#self, to, about], this.#members.list, (member) =>
      member === this.#self ? this.#own() : this.#members.rumourOf(member),
    );
  }

  #own(): Rumour {
    return {
      member: this.#self,
      status: this.#serving ? 'alive' : 'returning',
      incarnation: this.#incarnation,
      by: [],
    };
  }
}

/** Fisher and Yates. */
function shuffled(list: string[], random: () => number): string[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
