export interface Backoff {
  /** Delay after the first failure. */
  minMs: number;
  maxMs: number;
  /** A process that was ready for so long starts with a clean record. */
  healthyMs: number;
}

export const RESTART_BACKOFF: Backoff = { minMs: 250, maxMs: 15_000, healthyMs: 30_000 };

/**
 * How long to wait after `failures` failures in a row: doubled each time up to the maximum, and of that half to all, so
 * that processes which failed together do not come back together. @param random a number in [0, 1).
 */
export function backoffMs(failures: number, { minMs, maxMs }: Backoff, random: number): number {
  const fullMs = Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(fullMs * (0.5 + random / 2));
}
