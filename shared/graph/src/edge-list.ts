/** Edges as a file lists them, with every distinct token numbered in order of first appearance. */
export interface EdgeList {
  readonly names: string[];
  readonly sources: Uint32Array;
  readonly targets: Uint32Array;
}

/** A line of an edge list that has no two tokens, or more input than the arrays can hold. */
export class EdgeListError extends Error {
  override name = 'EdgeListError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

const LF = 10;
const HASH = 35;
const lineBytesMax = 1 << 20;

/** Parses the chunks of an edge list: `follower followee` a line, see {@link EdgeListParser}. */
export function parseEdgeList(chunks: Iterable<Uint8Array>): EdgeList {
  const parser = new EdgeListParser();
  for (const chunk of chunks) parser.push(chunk);
  return parser.end();
}

/**
 * An incremental parser of edge lists, fed with byte chunks cut anywhere: two tokens a line, divided by spaces or
 * tabs; further tokens (weights, dates) are ignored; `#` starts a comment line; blank lines and CRLF are accepted. Tokens are any other bytes (UTF-8 when named) and are interned in an open-addressing table over the bytes,
 * so that no string is made for an edge.
 */
export class EdgeListParser {
  #sources = new Uint32Array(1 << 16);
  #targets = new Uint32Array(1 << 16);
  #edges = 0;
  #line = 0;
  #carry = new Uint8Array(0);
  #names = new TokenTable();

  /** @throws EdgeListError for a line with fewer than two tokens */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#carry.length > 0) {
      bytes = new Uint8Array(this.#carry.length + chunk.length);
      bytes.set(this.#carry);
      bytes.set(chunk, this.#carry.length);
    }
    const end = bytes.lastIndexOf(LF) + 1;
    this.#lines(bytes, end);
    if (bytes.length - end > lineBytesMax) {
      throw new EdgeListError(this.#line + 1, `longer than ${lineBytesMax} bytes; is this a text file?`);
    }
    this.#carry = bytes.slice(end);
  }

  /** Reads a last line without a line feed and returns everything. */
  end(): EdgeList {
    if (this.#carry.length > 0) {
      const last = new Uint8Array(this.#carry.length + 1);
      last.set(this.#carry);
      last[this.#carry.length] = LF;
      this.#carry = new Uint8Array(0);
      this.#lines(last, last.length);
    }
    return {
      names: this.#names.names(),
      sources: resized(this.#sources, this.#edges),
      targets: resized(this.#targets, this.#edges),
    };
  }

  #lines(bytes: Uint8Array, end: number): void {
    let at = 0;
    while (at < end) {
      this.#line++;
      at = skipBlanks(bytes, at);
      const first = bytes[at];
      if (first === LF || first === HASH) {
        at = bytes.indexOf(LF, at) + 1;
        continue;
      }
      const firstEnd = tokenEnd(bytes, at);
      const second = skipBlanks(bytes, firstEnd);
      if (bytes[second] === LF) {
        throw new EdgeListError(this.#line, 'needs two tokens, follower and followee');
      }
      const secondEnd = tokenEnd(bytes, second);
      if (this.#edges === this.#sources.length) this.#grow();
      this.#sources[this.#edges] = this.#names.intern(bytes, at, firstEnd);
      this.#targets[this.#edges++] = this.#names.intern(bytes, second, secondEnd);
      at = bytes[secondEnd] === LF ? secondEnd + 1 : bytes.indexOf(LF, secondEnd) + 1;
    }
  }

  #grow(): void {
    this.#sources = resized(this.#sources, this.#edges * 2);
    this.#targets = resized(this.#targets, this.#edges * 2);
  }
}

/** The same numbers in an array of another length; the old array is given up, so that there are never two. */
function resized(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(array.buffer.transfer(length * 4));
}

/** Space, tab, carriage return, vertical tab or form feed. */
function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9 || (byte >= 11 && byte <= 13);
}

function skipBlanks(bytes: Uint8Array, at: number): number {
  while (isBlank(bytes[at])) at++;
  return at;
}

function tokenEnd(bytes: Uint8Array, at: number): number {
  while (bytes[at] !== LF && !isBlank(bytes[at])) at++;
  return at;
}

/** Tokens → 0, 1, 2 … : FNV-1a, linear probing, at most half full; the bytes of all tokens in one growing array. */
class TokenTable {
  #slots = new Int32Array(1 << 12).fill(-1);
  #hashes = new Uint32Array(1 << 11);
  #starts = new Float64Array((1 << 11) + 1);
  #bytes = new Uint8Array(1 << 15);
  #size = 0;

  intern(source: Uint8Array, from: number, to: number): number {
    let hash = 0x811c9dc5;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ source[i], 0x01000193);
    hash = (hash ^ (hash >>> 15)) >>> 0;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let id = this.#slots[slot]; id >= 0; id = this.#slots[slot]) {
      if (this.#hashes[id] === hash && this.#same(id, source, from, to)) return id;
      slot = (slot + 1) & mask;
    }
    return this.#add(slot, hash, source, from, to);
  }

  names(): string[] {
    const decoder = new TextDecoder();
    const names: string[] = new Array(this.#size);
    for (let id = 0; id < this.#size; id++) {
      names[id] = decoder.decode(this.#bytes.subarray(this.#starts[id], this.#starts[id + 1]));
    }
    return names;
  }

  #same(id: number, source: Uint8Array, from: number, to: number): boolean {
    const start = this.#starts[id];
    if (this.#starts[id + 1] - start !== to - from) return false;
    const bytes = this.#bytes;
    for (let i = from, j = start; i < to; i++, j++) if (bytes[j] !== source[i]) return false;
    return true;
  }

  #add(slot: number, hash: number, source: Uint8Array, from: number, to: number): number {
    const id = this.#size++;
    const start = this.#starts[id];
    const end = start + to - from;
    if (end > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    for (let i = from, j = start; i < to; i++, j++) this.#bytes[j] = source[i];
    this.#hashes[id] = hash;
    this.#starts[id + 1] = end;
    this.#slots[slot] = id;
    if (this.#size === this.#hashes.length) this.#grow();
    return id;
  }

  #grow(): void {
    const hashes = new Uint32Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const starts = new Float64Array(hashes.length + 1);
    starts.set(this.#starts);
    this.#starts = starts;
    this.#slots = new Int32Array(hashes.length * 2).fill(-1);
    const mask = this.#slots.length - 1;
    for (let id = 0; id < this.#size; id++) {
      let slot = hashes[id] & mask;
      while (this.#slots[slot] >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = id;
    }
  }
}
