import type { World } from './world.ts';

/** The machine's own, for what watches the simulation. */
const real = { setTimeout, clearTimeout, setInterval, clearInterval, now: performance.now.bind(performance) };

/** What `setTimeout` gives back. */
class SimTimer {
  cancelled = false;
  unref(): this {
    return this;
  }
  ref(): this {
    return this;
  }
}

/**
 * Timers of the real coordinator and table follower go by the simulated clock while `run` runs: each belongs to the process in
 * which it was set, and is gone with it. `performance.now` counts from the start of the run.
 */
export async function withTimers<T>(world: World, run: () => Promise<T>): Promise<T> {
  const plan = (timer: SimTimer, callback: (...args: unknown[]) => void, ms = 0, again = false) => {
    world.after(Math.max(1, ms), world.owner, 'timer', () => {
      if (timer.cancelled) return;
      if (again) plan(timer, callback, ms, true);
      world.wakePromises();
      callback();
    });
    return timer;
  };
  const cancel = (timer: SimTimer | undefined) => {
    if (timer) timer.cancelled = true;
  };
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, ms?: number) => plan(new SimTimer(), callback, ms),
    setInterval: (callback: () => void, ms?: number) => plan(new SimTimer(), callback, ms, true),
    clearTimeout: cancel,
    clearInterval: cancel,
  });
  performance.now = () => world.nowMs - world.startMs;
  try {
    return await run();
  } finally {
    const { now, ...timers } = real;
    Object.assign(globalThis, timers);
    performance.now = now;
  }
}
