import { watchNpm } from './npm-ancestor.ts';

/**
 * SIGINT, SIGTERM, SIGHUP, or the end of what started this process. npm hands on a Ctrl-C that the terminal has sent
 * already, so a second signal says nothing: a stop that has begun stays orderly, and ends by its own time-outs.
 */
export class StopRequest {
  /** Resolves, with nothing, when a stop is asked for. */
  readonly requested: Promise<undefined>;
  readonly #abort = new AbortController();

  constructor() {
    const ask = () => this.#abort.abort();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
    if (process.connected) process.once('disconnect', ask);
    watchNpm(ask);
    this.requested = new Promise((resolve) => {
      this.#abort.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}
