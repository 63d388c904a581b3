import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a challenge may be used. */
const SECONDS_MAX = 300;

/**
 * Challenges that need no memory: the time and a keyed hash of it. Each process has a secret of its own, so that one is
 * good only where it was asked for; that no order counts twice is the log's business.
 */
export class Challenges {
  readonly #secret = randomBytes(32);
  readonly #nowMs: () => number;

  /** @param nowMs Unix milliseconds. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  issue(): string {
    // With a nonce: the same order twice in a second is two orders.
    const head = `${Math.floor(this.#nowMs() / 1000)}.${randomBytes(8).toString('hex')}`;
    return `${head}.${this.#hash(head).toString('hex')}`;
  }

  isOurs(challenge: string): boolean {
    const [, head, seconds, hash] = /^((\d{1,12})\.[0-9a-f]{16})\.([0-9a-f]{64})$/.exec(challenge) ?? [];
    if (!head || !hash) return false;
    const age = this.#nowMs() / 1000 - Number(seconds);
    if (age < -1 || age > SECONDS_MAX) return false;
    return timingSafeEqual(Buffer.from(hash, 'hex'), this.#hash(head));
  }

  #hash(head: string): Buffer {
    return createHmac('sha256', this.#secret).update(head).digest();
  }
}
