import type { LivenessConfig } from './config.ts';
import { type Input, Liveness, type Output } from './liveness.ts';

interface Delivery {
  atMs: number;
  order: number;
  to: string;
  input: Input;
}

interface Node {
  liveness: Liveness;
  running: boolean;
  /** Set while it stands still: what comes waits. */
  paused: boolean;
  waiting: Input[];
  /** Why it had to catch up. */
  catchUps: string[];
  wakeAtMs: number;
}

/** Time that catching up takes. */
const CATCH_UP_MS = 2000;

/** Members' failure detection over a network that delays, loses and cuts, under a clock of its own: for tests. */
export class TestingNetwork {
  readonly ids: readonly string[];
  nowMs = 1_800_000_000_000;
  /** Part of the messages that are lost. */
  loss = 0;
  /** Whether a message passes between these two. */
  passes: (from: string, to: string) => boolean = () => true;
  readonly #nodes = new Map<string, Node>();
  readonly #queue: Delivery[] = [];
  readonly #random: () => number;
  readonly #config: Partial<LivenessConfig> | undefined;
  #order = 0;

  constructor(size: number, random: () => number, config?: Partial<LivenessConfig>) {
    this.#random = random;
    this.#config = config;
    this.ids = Array.from({ length: size }, (_, i) => i.toString(16).padStart(64, '0'));
    for (const id of this.ids) this.start(id, true);
  }

  start(id: string, serving = false): void {
    const liveness = new Liveness({
      self: id,
      incarnation: this.nowMs,
      serving,
      nowMs: this.nowMs,
      random: this.#random,
      config: this.#config,
    });
    this.#nodes.set(id, { liveness, running: true, paused: false, waiting: [], catchUps: [], wakeAtMs: 0 });
    this.#step(id, { type: 'members', members: this.ids });
    if (!serving) this.#catchUp(id);
  }

  /** @param silently as when its power fails; else its connections break, and the others see it */
  kill(id: string, silently: boolean): void {
    this.node(id).running = false;
    if (!silently) for (const other of this.ids) this.#send(id, other, { type: 'lost', member: id }, true);
  }

  pause(id: string): void {
    this.node(id).paused = true;
  }

  resume(id: string): void {
    const node = this.node(id);
    node.paused = false;
    for (const input of node.waiting.splice(0)) this.#step(id, input);
  }

  node(id: string): Node {
    return this.#nodes.get(id)!;
  }

  get running(): string[] {
    return this.ids.filter((id) => this.node(id).running);
  }

  /** Lets time pass until `until` holds. @returns whether it does */
  run(ms: number, until: () => boolean = () => false): boolean {
    const end = this.nowMs + ms;
    for (;;) {
      if (until()) return true;
      let atMs = this.#queue[0]?.atMs ?? Number.POSITIVE_INFINITY;
      let next: string | undefined;
      for (const id of this.ids) {
        const { wakeAtMs, running, paused } = this.node(id);
        if (!running || paused || wakeAtMs >= atMs) continue;
        atMs = wakeAtMs;
        next = id;
      }
      if (atMs > end) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      if (next !== undefined) this.#step(next, { type: 'tick' });
      else {
        const { to, input } = this.#queue.shift()!;
        this.#step(to, input);
      }
    }
    this.nowMs = end;
    return until();
  }

  #step(id: string, input: Input): void {
    const node = this.node(id);
    if (!node.running) return;
    if (node.paused) {
      node.waiting.push(input);
      return;
    }
    for (const output of node.liveness.step(this.nowMs, input)) this.#carryOut(id, node, output);
    node.wakeAtMs = node.liveness.wakeAtMs;
  }

  #carryOut(id: string, node: Node, output: Output): void {
    if (output.type === 'verdicts' || output.type === 'dead' || output.type === 'suspect') return;
    if (output.type === 'catch up') {
      node.catchUps.push(output.reason);
      this.#catchUp(id);
      return;
    }
    const { type, to, seq, rumours } = output;
    const target = output.type === 'probe' && output.target !== undefined ? { target: output.target } : {};
    this.#send(id, to, { type, from: id, seq, rumours, ...target } as Input, false);
  }

  #catchUp(id: string): void {
    this.#send(id, id, { type: 'caught up' }, true, CATCH_UP_MS);
  }

  #send(from: string, to: string, input: Input, surely: boolean, afterMs = 0): void {
    if (!surely && (this.#random() < this.loss || !this.passes(from, to))) return;
    const delivery = {
      atMs: this.nowMs + afterMs + 1 + this.#random() * 20,
      order: this.#order++,
      to,
      input,
    };
    const at = this.#queue.findIndex(({ atMs }) => atMs > delivery.atMs);
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, delivery);
  }
}
