/** However long a run took: a process that stood still must not wait in proportion. */
const WAIT_MS_MAX = 1000;

export interface SpacedOptions {
  work: () => void;
  /** Least time from the end of one run to the next. */
  everyMs: number;
  /** Largest part of the time that it may take. */
  part: number;
  /** Milliseconds. */
  clock: () => number;
}

/**
 * Work that is asked for by events which come alone, mostly, and then should be done at once; and which come by hundreds when much
 * goes wrong, and then must not take the whole thread: what is asked for too soon after the last run is done together, later.
 */
export class Spaced {
  readonly #options: SpacedOptions;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SpacedOptions) {
    this.#options = options;
  }

  request(): void {
    if (this.#timer) return;
    const waitMs = this.#notBeforeMs - this.#options.clock();
    if (waitMs <= 0) {
      this.#run();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#run();
    }, Math.ceil(waitMs));
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    const { work, everyMs, part, clock } = this.#options;
    const startMs = clock();
    try {
      work();
    } finally {
      const endMs = clock();
      this.#notBeforeMs = endMs + Math.min(WAIT_MS_MAX, Math.max(everyMs, (endMs - startMs) / part));
    }
  }
}
