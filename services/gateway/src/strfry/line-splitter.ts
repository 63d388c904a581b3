const NEWLINE = 10;
/** Bytes of an over-long line that are kept between two chunks, so that a key cut in two is still found. */
const CARRY_BYTES = 256;

/** What could be made out of a line that was too long to keep, or is no JSON. */
export interface LineTraces {
  id?: string;
  sourceType?: string;
}

export interface LineSplitterOptions {
  /** A longer line is read past, its event's id and source picked out as it goes by. */
  lineBytesMax: number;
  onLine: (line: string) => void;
  onOverlong: (traces: LineTraces) => void;
}

/** Cuts a stream of bytes into lines within a bound on memory. Empty lines are nothing. */
export class LineSplitter {
  readonly #options: LineSplitterOptions;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Set while an over-long line goes by. */
  #passing: { traces: LineTraces; carry: string } | undefined;

  constructor(options: LineSplitterOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#take(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
    }
    if (start < chunk.length) this.#take(chunk.subarray(start));
  }

  /** The stream is over; what has no newline yet is the last line. */
  end(): void {
    this.#endLine();
  }

  #take(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes <= this.#options.lineBytesMax) {
      this.#parts.push(part);
      return;
    }
    this.#passing ??= { traces: {}, carry: '' };
    for (const piece of [...this.#parts, part]) this.#trace(piece);
    this.#parts = [];
  }

  #trace(piece: Buffer): void {
    const passing = this.#passing!;
    const text = passing.carry + piece.toString('latin1');
    passing.traces = { ...tracesOf(text), ...passing.traces };
    passing.carry = text.slice(-CARRY_BYTES);
  }

  #endLine(): void {
    const { onLine, onOverlong } = this.#options;
    const parts = this.#parts;
    const passing = this.#passing;
    this.#parts = [];
    this.#bytes = 0;
    this.#passing = undefined;
    if (passing) {
      onOverlong(passing.traces);
      return;
    }
    const line = (parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString('utf8');
    if (line.trim()) onLine(line);
  }
}

/**
 * Id and source of the event in broken JSON. Neither pattern can stand inside a JSON string, where quotes are escaped, and
 * a tag `["id","…"]` has no colon.
 */
export function tracesOf(text: string): LineTraces {
  const id = /"id"\s*:\s*"([0-9a-f]{64})"/.exec(text)?.[1];
  const sourceType = /"sourceType"\s*:\s*"([A-Za-z0-9]{1,16})"/.exec(text)?.[1];
  return { ...(id ? { id } : {}), ...(sourceType ? { sourceType } : {}) };
}
