/** One line of a terminal, written over and over; silent where standard error is no terminal. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #shown: boolean;
  #text = '';

  constructor(stream: NodeJS.WriteStream, wanted: boolean) {
    this.#stream = stream;
    this.#shown = wanted && stream.isTTY === true;
  }

  show(text: string): void {
    if (!this.#shown || text === this.#text) return;
    this.#text = text;
    this.#stream.write(`\r\x1b[K${text.slice(0, (this.#stream.columns || 80) - 1)}`);
  }

  clear(): void {
    if (this.#text) this.#stream.write('\r\x1b[K');
    this.#text = '';
  }
}
