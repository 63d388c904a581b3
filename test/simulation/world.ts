import { seededRng } from '@covey/graph';

/** Where messages go: a member's number, a service's, or a client's from CLIENTS on. */
export type Address = number;
export const POSTGRES = 800;
export const NATS = 801;
export const COORDINATORS = [900, 901] as const;
export const CLIENTS = 1000;

/** The machine's own: what waits for promises has gone on when it calls back. */
const afterPromises = setImmediate;

interface Planned {
  atMs: number;
  order: number;
  /** Whose process it runs in; nobody's for faults and checks. */
  owner: Address | undefined;
  /** Of the owner's life: what was planned by a process that was killed does not happen. */
  life: number;
  what: string;
  run: () => void;
}

/** The weather of one run. */
export interface Weather {
  delayMsMax: number;
  /** Part of the messages that are lost, and that come twice. */
  loss: number;
  twice: number;
}

/**
 * Clock, network and processes, all from one seed. Everything that happens is an entry of one queue, in an order that the seed
 * alone decides; the digest over all of it is the same whenever the seed is run again.
 */
export class World {
  readonly random: () => number;
  readonly startMs = 1_800_000_000_000;
  nowMs = this.startMs;
  weather: Weather = { delayMsMax: 20, loss: 0, twice: 0 };
  /** Whether a message gets through between these now. */
  passes: (from: Address, to: Address) => boolean = () => true;
  steps = 0;
  /** In whose process something happens now. */
  owner: Address | undefined;
  readonly #queue: Planned[] = [];
  readonly #lives = new Map<Address, number>();
  readonly #stopped = new Map<Address, Planned[]>();
  readonly #receivers = new Map<Address, (from: Address, message: unknown) => void>();
  #order = 0;
  #promises = false;
  #digest = [0x811c9dc5, 0x9e3779b9];

  constructor(seed: number) {
    this.random = seededRng(seed);
  }

  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }

  chance(part: number): boolean {
    return this.random() < part;
  }

  /** A process begins to take messages. */
  start(address: Address, receive: (from: Address, message: unknown) => void): void {
    this.#receivers.set(address, receive);
  }

  /** A process is gone, with everything that it had planned. */
  kill(address: Address): void {
    this.#receivers.delete(address);
    this.#lives.set(address, this.#life(address) + 1);
    this.#stopped.delete(address);
  }

  /** In this step something happened that promises wait for: they go on before the next one. */
  wakePromises(): void {
    this.#promises = true;
  }

  isRunning(address: Address): boolean {
    return this.#receivers.has(address);
  }

  isPaused(address: Address): boolean {
    return this.#stopped.has(address);
  }

  /** A process stands still: what would happen in it happens when it goes on. */
  pause(address: Address): void {
    if (!this.#stopped.has(address)) this.#stopped.set(address, []);
  }

  resume(address: Address): void {
    const waiting = this.#stopped.get(address) ?? [];
    this.#stopped.delete(address);
    for (const planned of waiting) this.#plan({ ...planned, atMs: this.nowMs });
  }

  /** After so long, in the process of `owner`. */
  after(ms: number, owner: Address | undefined, what: string, run: () => void): void {
    const life = owner === undefined ? 0 : this.#life(owner);
    this.#plan({ atMs: this.nowMs + ms, order: this.#order++, owner, life, what, run });
  }

  /** Over the network: late, out of order, twice, or never. */
  send(from: Address, to: Address, what: string, message: unknown): void {
    if (!this.passes(from, to) || this.chance(this.weather.loss)) return;
    const times = this.chance(this.weather.twice) ? 2 : 1;
    for (let i = 0; i < times; i++) {
      const atMs = this.nowMs + 1 + this.random() * this.weather.delayMsMax;
      this.#plan({
        atMs,
        order: this.#order++,
        owner: to,
        life: this.#life(to),
        what: `${from} ${to} ${what}`,
        run: () => this.#receivers.get(to)?.(from, message),
      });
    }
  }

  #life(address: Address): number {
    return this.#lives.get(address) ?? 0;
  }

  #plan(planned: Planned): void {
    // A binary heap by time, then by the order in which it was planned.
    const queue = this.#queue;
    let i = queue.push(planned) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(queue[i]!, queue[parent]!)) break;
      [queue[i], queue[parent]] = [queue[parent]!, queue[i]!];
      i = parent;
    }
  }

  #next(): Planned | undefined {
    const queue = this.#queue;
    const first = queue[0];
    const last = queue.pop();
    if (!first || !last || queue.length === 0) return first;
    queue[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < queue.length && isBefore(queue[child]!, queue[least]!)) least = child;
      if (least === i) return first;
      [queue[i], queue[least]] = [queue[least]!, queue[i]!];
      i = least;
    }
  }

  /** Lets what is planned until `untilMs` happen; `check` after each step may end it. @returns whether it did */
  async run(untilMs: number, check: () => boolean): Promise<boolean> {
    await this.#letPromises();
    for (;;) {
      const head = this.#queue[0];
      if (!head || head.atMs > untilMs) break;
      const planned = this.#next()!;
      const { owner, life } = planned;
      this.nowMs = Math.max(this.nowMs, planned.atMs);
      if (owner !== undefined) {
        if (life !== this.#life(owner)) continue;
        const waiting = this.#stopped.get(owner);
        if (waiting) {
          waiting.push(planned);
          continue;
        }
      }
      this.steps++;
      this.#note(planned.what);
      this.owner = owner;
      planned.run();
      await this.#letPromises();
      this.owner = undefined;
      if (check()) return true;
    }
    this.nowMs = untilMs;
    return false;
  }

  /** What promises were waited for in the process that runs now goes on as part of the same step. */
  async #letPromises(): Promise<void> {
    while (this.#promises) {
      this.#promises = false;
      await new Promise<void>((resolve) => void afterPromises(resolve));
    }
  }

  #note(what: string): void {
    let [a, b] = this.#digest as [number, number];
    const text = `${this.nowMs} ${what}`;
    for (let i = 0; i < text.length; i++) {
      a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
      b = Math.imul(b ^ a ^ (b >>> 15), 0x85ebca6b);
    }
    this.#digest = [a, b];
  }

  /** Of all that happened so far. */
  get digest(): string {
    return this.#digest.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
