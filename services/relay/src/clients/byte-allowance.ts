/** A token bucket: so many bytes a minute, and after a pause at most a minute's worth at once. */
export class ByteAllowance {
  readonly #bytesPerMinute: number;
  readonly #clock: () => number;
  #left: number;
  #atMs: number;

  /** @param clock Unix milliseconds */
  constructor(bytesPerMinute: number, clock: () => number) {
    this.#bytesPerMinute = bytesPerMinute;
    this.#clock = clock;
    this.#left = bytesPerMinute;
    this.#atMs = clock();
  }

  #refill(): void {
    const nowMs = this.#clock();
    const gained = (Math.max(0, nowMs - this.#atMs) / 60_000) * this.#bytesPerMinute;
    this.#left = Math.min(this.#bytesPerMinute, this.#left + gained);
    this.#atMs = nowMs;
  }

  /** Takes `bytes` when there are as many left. */
  take(bytes: number): boolean {
    this.#refill();
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Takes them in any case: what was asked for by id is paid for by what comes later, at most a minute's worth. */
  charge(bytes: number): void {
    this.#refill();
    this.#left = Math.max(-this.#bytesPerMinute, this.#left - bytes);
  }
}
