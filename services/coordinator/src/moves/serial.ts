/** Runs one piece of work after the other: whoever makes epochs in this process. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** @throws what `work` throws */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
