import { ProblemError } from './problems.ts';

/** Bounds the bodies that are held at once, by their bytes. What does not fit is told to come back in a second. */
export class ByteBudget {
  readonly #bytesMax: number;
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes `bytes`; the function that comes back returns them, once. @throws ProblemError `busy` when they do not fit. */
  take(bytes: number): () => void {
    if (this.#used + bytes > this.#bytesMax)
      throw new ProblemError('busy', 'The API works on as many plans as it can. Try again in a second.', {
        retryAfterSeconds: 1,
      });
    this.#used += bytes;
    let taken = bytes;
    return () => {
      this.#used -= taken;
      taken = 0;
    };
  }
}
