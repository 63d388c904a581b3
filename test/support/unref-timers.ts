/**
 * From now on no timer keeps this process alive: for tests of libraries that keep some for good after they are closed.
 * Servers and sockets under test still do.
 */
export function unrefTimers(): void {
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const original = globalThis[name] as (...args: unknown[]) => NodeJS.Timeout;
    Object.assign(globalThis, { [name]: (...args: unknown[]) => original(...args).unref() });
  }
}
