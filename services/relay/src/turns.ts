/** Work done for all connections before the event loop goes on to sockets, timers and the disk. */
const WORK_A_TICK = 64;
/** Work done for one connection before the next one's turn. */
const WORK_A_TURN = 16;

/**
 * Fair scheduling: every connection's messages wait in a line of its own, and connections take turns, each with a bounded
 * piece of work, so that one that floods slows down nobody but itself. Messages of one connection keep their order.
 */
export class Turns {
  readonly #ready = new Set<Line>();
  #scheduled: NodeJS.Immediate | undefined;
  #stopped = false;

  line(bounds: LineBounds, reader: LineReader): Line {
    return new Line(bounds, reader, this.#wake);
  }

  /** Arrow, as every line has it. */
  readonly #wake = (line: Line): void => {
    if (this.#stopped) return;
    this.#ready.add(line);
    this.#scheduled ??= setImmediate(() => this.#tick());
  };

  #tick(): void {
    this.#scheduled = undefined;
    let left = WORK_A_TICK;
    // Who had a turn goes to the end of the set, which a Set's iteration comes to again.
    for (const line of this.#ready) {
      this.#ready.delete(line);
      left -= line.turn(Math.min(WORK_A_TURN, left));
      if (line.ready) this.#ready.add(line);
      if (left <= 0) break;
    }
    if (this.#ready.size > 0 && !this.#stopped) this.#scheduled = setImmediate(() => this.#tick());
  }

  /** What waits is not done any more. */
  stop(): void {
    this.#stopped = true;
    clearImmediate(this.#scheduled);
    this.#ready.clear();
  }
}

export interface LineBounds {
  /** Messages that wait before the connection is no longer read. */
  waitingMax: number;
  /** The same, in bytes. */
  bytesMax: number;
}

/** Stops, or goes on with, reading the connection. */
export interface LineReader {
  pause(): void;
  resume(): void;
}

/** One connection's messages that wait for its turn. */
export class Line {
  readonly #bounds: LineBounds;
  readonly #reader: LineReader;
  readonly #wake: (line: Line) => void;
  #waiting: { work: () => void; weight: number; bytes: number }[] = [];
  #bytes = 0;
  #next = 0;
  #held = false;
  #paused = false;

  constructor(bounds: LineBounds, reader: LineReader, wake: (line: Line) => void) {
    this.#bounds = bounds;
    this.#reader = reader;
    this.#wake = wake;
  }

  get waiting(): number {
    return this.#waiting.length - this.#next;
  }

  get ready(): boolean {
    return !this.#held && this.waiting > 0;
  }

  /** @param weight how much of a turn it takes: 1 for little, WORK_A_TURN for a whole one */
  add(work: () => void, weight: number, bytes: number): void {
    this.#waiting.push({ work, weight, bytes });
    this.#bytes += bytes;
    const { waitingMax, bytesMax } = this.#bounds;
    if (!this.#paused && (this.waiting >= waitingMax || this.#bytes >= bytesMax)) {
      this.#paused = true;
      this.#reader.pause();
    }
    if (!this.#held) this.#wake(this);
  }

  /** Its messages wait until `release`: it has enough under way. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (this.waiting > 0) this.#wake(this);
  }

  /** Does work up to `budget`, at least one piece. @returns the weight of what was done */
  turn(budget: number): number {
    let done = 0;
    while (this.ready && done < budget) {
      const { work, weight, bytes } = this.#waiting[this.#next++]!;
      done += weight;
      this.#bytes -= bytes;
      work();
    }
    if (this.#next === this.#waiting.length || this.#next >= 256) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    const { waitingMax, bytesMax } = this.#bounds;
    if (this.#paused && this.waiting <= waitingMax / 2 && this.#bytes <= bytesMax / 2) {
      this.#paused = false;
      this.#reader.resume();
    }
    return done;
  }
}

/** A message whose work has no small bound, such as a look into the store, takes a whole turn. */
export const WHOLE_TURN = WORK_A_TURN;
