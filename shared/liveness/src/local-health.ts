/** Largest slowing down. */
const SCORE_MAX = 8;

/**
 * How well this member itself works, by what it sees (Lifeguard, section IV-A): its own slowness must not look like the
 * death of others. Times are multiplied by score + 1.
 */
export class LocalHealth {
  #score = 0;

  /** 1 when all is well. */
  get multiplier(): number {
    return this.#score + 1;
  }

  /** @param change positive for a sign of own trouble, negative for a probe that was answered */
  note(change: number): void {
    this.#score = Math.max(0, Math.min(SCORE_MAX, this.#score + change));
  }
}
