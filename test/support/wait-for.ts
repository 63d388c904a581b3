import { setTimeout as delay } from 'node:timers/promises';

/** Resolves once `condition` holds; looks every 20 ms. @throws Error that names `what` after `timeoutMs`. */
export async function waitFor(condition: () => unknown, what: string, timeoutMs = 15_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await delay(20);
  }
}
