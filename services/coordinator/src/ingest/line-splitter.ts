import { blockOf, type SourceChunk } from './source-chunk.ts';

const LF = 10;
const LINES_A_CHUNK = 512;
const CHUNK_BYTES = 2 ** 20;
const UTF8_MARK = Buffer.of(0xef, 0xbb, 0xbf);

/**
 * Cuts a stream of bytes into chunks of whole lines. Holds at most one line and one chunk: of a line over the bound the
 * rest is passed over as it comes, and the line is counted as too large. Blank lines do not count.
 */
export class LineSplitter {
  readonly #lineBytesMax: number;
  /** The start of a line whose end has not come yet, in pieces. */
  #open: Uint8Array[] = [];
  #openBytes = 0;
  #lines: Uint8Array[] = [];
  #linesBytes = 0;
  #tooLarge = 0;
  /** Whole lines so far, blank and over-long ones too. */
  lines = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Takes bytes that nobody will change; gives the chunks that are full. */
  *push(bytes: Uint8Array): Generator<SourceChunk> {
    let from = 0;
    for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, from)) {
      this.#extend(bytes.subarray(from, at));
      this.#endLine();
      from = at + 1;
      if (this.#lines.length >= LINES_A_CHUNK || this.#linesBytes >= CHUNK_BYTES) yield this.#cut();
    }
    this.#extend(bytes.subarray(from));
  }

  /** What is left; a last line without a line feed counts. */
  *end(): Generator<SourceChunk> {
    if (this.#openBytes > 0) this.#endLine();
    if (this.#lines.length > 0 || this.#tooLarge > 0) yield this.#cut();
  }

  #extend(part: Uint8Array): void {
    if (part.length === 0) return;
    // One byte over the bound is kept, so that the line is known to be too large.
    const room = this.#lineBytesMax + 1 - this.#openBytes;
    if (room > 0) this.#open.push(part.subarray(0, room));
    this.#openBytes += part.length;
  }

  #endLine(): void {
    this.lines++;
    let line = this.#open.length === 1 ? this.#open[0]! : Buffer.concat(this.#open);
    const bytes = this.#openBytes;
    this.#open = [];
    this.#openBytes = 0;
    if (this.lines === 1 && UTF8_MARK.equals(line.subarray(0, 3))) line = line.subarray(3);
    if (bytes > this.#lineBytesMax) this.#tooLarge++;
    else if (line.some((byte) => byte > 32)) {
      this.#lines.push(line);
      this.#linesBytes += line.length;
    }
  }

  #cut(): SourceChunk {
    const chunk: SourceChunk = {};
    if (this.#lines.length > 0) chunk.records = blockOf(this.#lines);
    if (this.#tooLarge > 0) chunk.rejected = { 'too large': this.#tooLarge };
    this.#lines = [];
    this.#linesBytes = 0;
    this.#tooLarge = 0;
    return chunk;
  }
}
