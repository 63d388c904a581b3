/** Numbers of rows, given out by the one process that owns the schema. A transaction that was undone leaves a gap. */
export class Numbers {
  #last = 0;

  /** @param last the highest number in use */
  load(last: number): void {
    this.#last = Math.max(this.#last, last);
  }

  next(): number {
    return ++this.#last;
  }
}
