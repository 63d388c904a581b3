const RECORDS_MAX = 256;

/**
 * Since when all members that count have applied an epoch. Kept in memory alone: a coordinator that starts anew counts from
 * when it sees it, which waits longer and never too short.
 */
export class AppliedTimes {
  /** Ascending in both. */
  #records: { epoch: number; atMs: number }[] = [];

  /** Every member that is not stale applies `epoch` or a later one now. */
  observe(epoch: number, nowMs: number): void {
    const last = this.#records.at(-1);
    if (last && last.epoch >= epoch) return;
    this.#records.push({ epoch, atMs: nowMs });
    // The oldest two become one, at the later time: moves that are waited for may wait longer.
    if (this.#records.length > RECORDS_MAX) this.#records.shift();
  }

  /** Since when; undefined when that was never seen. */
  since = (epoch: number): number | undefined => this.#records.find((record) => record.epoch >= epoch)?.atMs;
}
