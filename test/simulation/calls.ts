import type { Address, World } from './world.ts';

interface Open {
  from: Address;
  to: Address;
  settle: (error: Error) => void;
}

/**
 * Questions over connections (PostgreSQL, JetStream, HTTP): in order of their delays, not lost and not doubled, but cut off with
 * the link or the process. Whoever asked then does not know whether it was done.
 */
export class Calls {
  readonly #world: World;
  readonly #open = new Set<Open>();
  /** Longest time that a message takes. */
  delayMsMax = 20;

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * @param work happens at `to`, at once and whole
   * @param msMax until the answer is given up
   * @throws what `work` throws, and Error when there is no answer
   */
  ask<T>(from: Address, to: Address, what: string, msMax: number, work: () => T): Promise<T> {
    const world = this.#world;
    return new Promise<T>((resolve, reject) => {
      const open: Open = { from, to, settle: (error) => finish(() => reject(error)) };
      const finish = (settle: () => void) => {
        if (!this.#open.delete(open)) return;
        world.wakePromises();
        settle();
      };
      this.#open.add(open);
      const fail = (ms: number, text: string) =>
        world.after(ms, from, `${what} failed`, () => open.settle(new Error(`${what}: ${text}`)));
      if (!world.isRunning(to)) return fail(2, 'connection refused');
      fail(msMax, `no answer for ${msMax} ms`);
      if (!world.passes(from, to)) return;
      world.after(this.#delayMs(), to, `${from} ${to} ${what}`, () => {
        let settle: () => void;
        try {
          const result = work();
          settle = () => resolve(result);
        } catch (error) {
          settle = () => reject(error);
        }
        if (this.#open.has(open) && world.passes(to, from))
          world.after(this.#delayMs(), from, `${to} ${from} ${what}`, () => finish(settle));
      });
    });
  }

  #delayMs(): number {
    return 1 + this.#world.random() * this.delayMsMax;
  }

  /** A process was killed: what it asked is forgotten. @param silently who asked it does not learn so, either */
  ended(process: Address, silently: boolean): void {
    for (const open of this.#open) {
      if (open.from === process) this.#open.delete(open);
      else if (open.to === process && !silently)
        this.#world.after(2, open.from, 'connection lost', () =>
          open.settle(new Error('the connection was lost')),
        );
    }
  }
}
