import {
  type Input,
  Liveness,
  type LivenessConfig,
  type Output,
  type Rumour,
  type Verdicts,
} from '@covey/liveness';
import { type ProbeFrame, parseProbeFrame, probeFrame } from '@covey/protocol';
import type { MemberLinks } from './member-links.ts';

/** Probes of others that wait for what is found out about a third. */
const ANSWERS_MAX = 1024;

export interface FailureDetectorOptions {
  /** Public key of this member. */
  self: string;
  links: MemberLinks;
  /** Milliseconds by a clock that does not jump. */
  clock: () => number;
  /** Unix milliseconds of the start. */
  startedAtMs: number;
  /** From 0 up to, not including, 1. */
  random: () => number;
  config: Partial<LivenessConfig>;
  onVerdicts: (verdicts: Verdicts) => void;
  /** This member has to fetch what it missed, and then say `caughtUp`. */
  onCatchUp: (reason: string) => void;
  /** @param silentMs since when it was not heard from directly */
  onDead: (member: string, silentMs: number | undefined) => void;
  onSuspect: (member: string) => void;
}

/** Drives `@covey/liveness` over the links between members: its messages, its timer, and nothing of its decisions. */
export class FailureDetector {
  readonly #options: FailureDetectorOptions;
  readonly #liveness: Liveness;
  /** How to answer probes that are under way, by who asked and the number there. */
  readonly #answers = new Map<string, (frame: string) => void>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: FailureDetectorOptions) {
    this.#options = options;
    const { self, startedAtMs, random, clock, config } = options;
    this.#liveness = new Liveness({
      self,
      incarnation: startedAtMs,
      // It was away, and may have missed something, until it has compared.
      serving: false,
      nowMs: clock(),
      random,
      config,
    });
  }

  get verdicts(): Verdicts {
    return this.#liveness.verdicts;
  }

  /** @param members public keys of all members of the table */
  update(members: readonly string[]): void {
    this.#step({ type: 'members', members });
  }

  caughtUp(): void {
    this.#step({ type: 'caught up' });
  }

  /** A connection from or to a member broke. */
  lost(member: string): void {
    this.#step({ type: 'lost', member });
  }

  /** A probe of another member. @returns false when it is malformed */
  probed(frame: readonly unknown[], from: string, answer: (frame: string) => void): boolean {
    const probe = parseProbeFrame(frame);
    if (probe?.type !== 'probe') return false;
    this.#answers.set(answerKey(from, probe.seq), answer);
    if (this.#answers.size > ANSWERS_MAX) this.#answers.delete(this.#answers.keys().next().value!);
    this.#step({ ...probe, type: 'probe', from });
    return true;
  }

  /** An answer that came over the link to a member. */
  answered(frame: readonly unknown[], from: string): void {
    const answer = parseProbeFrame(frame);
    if (answer && answer.type !== 'probe') this.#step({ ...answer, type: answer.type, from });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#answers.clear();
  }

  #step(input: Input): void {
    if (this.#stopped) return;
    for (const output of this.#liveness.step(this.#options.clock(), input)) this.#carryOut(output);
    clearTimeout(this.#timer);
    const waitMs = Math.max(1, Math.ceil(this.#liveness.wakeAtMs - this.#options.clock()));
    this.#timer = setTimeout(() => this.#step({ type: 'tick' }), waitMs);
    this.#timer.unref();
  }

  #carryOut(output: Output): void {
    const { onVerdicts, onCatchUp, onDead, onSuspect } = this.#options;
    switch (output.type) {
      case 'probe':
        this.#probe(output.to, output.seq, output);
        return;
      case 'ack':
      case 'nack': {
        const key = answerKey(output.to, output.seq);
        this.#answers.get(key)?.(probeFrame(output));
        this.#answers.delete(key);
        return;
      }
      case 'verdicts':
        onVerdicts(output.verdicts);
        return;
      case 'catch up':
        onCatchUp(output.reason);
        return;
      case 'dead':
        onDead(output.member, output.silentMs);
        return;
      case 'suspect':
        onSuspect(output.member);
        return;
    }
  }

  #probe(
    member: string,
    seq: number,
    probe: Omit<ProbeFrame, 'rumours'> & Pick<Output & { type: 'probe' }, 'rumours'>,
  ): void {
    const unreachable = () => this.#step({ type: 'unreachable', member, seq });
    const link = this.#options.links.get(member);
    if (!link) return;
    link
      .probe(probeFrame(probe))
      .then((isPlain) => {
        if (isPlain) this.#step({ type: 'ack', seq, from: member, rumours: this.#onBehalfOf(member) });
      })
      .catch(unreachable);
  }

  /** A plain relay can't refute what is said of it: whoever had its answer does. */
  #onBehalfOf(member: string): Rumour[] {
    const held = this.#liveness.rumourOf(member);
    if (!held || held.status === 'alive') return [];
    return [{ member, status: 'alive', incarnation: held.incarnation + 1, by: [] }];
  }
}

function answerKey(member: string, seq: number): string {
  return `${member} ${seq}`;
}
