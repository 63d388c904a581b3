import { stat } from 'node:fs/promises';
import { InvalidKeyError, parsePubkey } from '@covey/nostr';
import { filePosition, readFileBytes } from './file-bytes.ts';
import { LineSplitter } from './line-splitter.ts';
import { SourceBrokenError, type SourceChunk } from './source-chunk.ts';
import { unsignedFollows } from './unsigned-list.ts';

export interface EdgeBounds {
  accountsMax: number;
  edgesMax: number;
}

/** 4 million accounts and 60 million follows: about 1 GB of memory. Larger graphs come as signed events. */
export const EDGE_BOUNDS: EdgeBounds = { accountsMax: 4_000_000, edgesMax: 60_000_000 };

const LINE_BYTES_MAX = 4_096;
const FOLLOWS_A_CHUNK = 50_000;
const LISTS_A_CHUNK = 500;

/**
 * Follow lists from `follower followee` lines (hex or npub, divided by blanks or commas; `#` starts a comment). A
 * follower's lines may stand anywhere, so the whole file is read, as numbers, before the first list is given.
 * @param createdAt Unix seconds of the lists; the file's own date when not given
 * @throws SourceBrokenError for a file that is cut off or over the bounds: nothing of it counts, as any of its lists may
 *   be incomplete
 */
export async function* edgesFileChunks(
  path: string,
  source: string,
  createdAt?: number,
  bounds = EDGE_BOUNDS,
): AsyncGenerator<SourceChunk> {
  const edges = new Edges(bounds);
  const splitter = new LineSplitter(LINE_BYTES_MAX);
  let unreadable = 0;
  const takeAll = (chunk: SourceChunk) => {
    unreadable += chunk.rejected?.['too large'] ?? 0;
    if (!chunk.records) return;
    const { bytes, ends } = chunk.records;
    let from = 0;
    for (const end of ends) {
      if (!edges.take(Buffer.from(bytes.buffer, from, end - from).toString('utf8'))) unreadable++;
      from = end;
    }
  };
  try {
    for await (const piece of readFileBytes(path)) {
      for (const chunk of splitter.push(piece.bytes)) takeAll(chunk);
      yield { position: `${filePosition(piece)}, ${edges.count} follows` };
    }
  } catch (error) {
    if (error instanceof SourceBrokenError)
      throw new SourceBrokenError(
        `${error.message.replace('what came before counts', 'nothing of it counts')}`,
        { retry: false, cause: error },
      );
    throw error;
  }
  for (const chunk of splitter.end()) takeAll(chunk);
  if (unreadable > 0) yield { rejected: { 'unreadable line': unreadable } };
  const date = createdAt ?? Math.floor((await stat(path)).mtimeMs / 1000);
  let lists: NonNullable<SourceChunk['lists']> = [];
  let follows = 0;
  for (const { follower, followees } of edges.lists()) {
    lists.push(unsignedFollows(follower, followees, date, source));
    follows += followees.length;
    if (follows < FOLLOWS_A_CHUNK && lists.length < LISTS_A_CHUNK) continue;
    yield { lists, position: 'storing' };
    lists = [];
    follows = 0;
  }
  yield { lists, position: 'storing' };
}

/** Edges as pairs of numbers. */
class Edges {
  readonly #bounds: EdgeBounds;
  readonly #numbers = new Map<string, number>();
  readonly #keys: string[] = [];
  /** Follower and followee in turn. */
  #pairs = new Uint32Array(1 << 16);
  count = 0;

  constructor(bounds: EdgeBounds) {
    this.#bounds = bounds;
  }

  /** Whether the line could be read. */
  take(line: string): boolean {
    const text = line.trim();
    if (text.startsWith('#')) return true;
    const parts = text.split(/[\s,]+/);
    if (parts.length < 2) return false;
    const follower = this.#number(parts[0]!);
    const followee = this.#number(parts[1]!);
    if (follower === undefined || followee === undefined) return false;
    if (this.count === this.#bounds.edgesMax)
      throw new SourceBrokenError(
        `an edge list of over ${this.#bounds.edgesMax} follows; split it by follower, or bring the events`,
        { retry: false },
      );
    if (this.count * 2 === this.#pairs.length) {
      const grown = new Uint32Array(this.#pairs.length * 2);
      grown.set(this.#pairs);
      this.#pairs = grown;
    }
    this.#pairs[this.count * 2] = follower;
    this.#pairs[this.count++ * 2 + 1] = followee;
    return true;
  }

  /** By follower, in the order in which they first appear as a key. */
  *lists(): Generator<{ follower: string; followees: string[] }> {
    const keys = this.#keys;
    const offsets = new Uint32Array(keys.length + 1);
    for (let i = 0; i < this.count; i++) offsets[this.#pairs[i * 2]! + 1]!++;
    for (let i = 0; i < keys.length; i++) offsets[i + 1]! += offsets[i]!;
    const at = offsets.slice();
    const followees = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) followees[at[this.#pairs[i * 2]!]!++] = this.#pairs[i * 2 + 1]!;
    for (let i = 0; i < keys.length; i++) {
      const row = followees.subarray(offsets[i]!, offsets[i + 1]!);
      if (row.length > 0) yield { follower: keys[i]!, followees: Array.from(row, (n) => keys[n]!) };
    }
  }

  #number(token: string): number | undefined {
    const known = this.#numbers.get(token);
    if (known !== undefined) return known;
    let key: string;
    try {
      key = parsePubkey(token);
    } catch (error) {
      if (error instanceof InvalidKeyError) return undefined;
      throw error;
    }
    let number = this.#numbers.get(key);
    if (number === undefined) {
      if (this.#keys.length === this.#bounds.accountsMax)
        throw new SourceBrokenError(
          `an edge list of over ${this.#bounds.accountsMax} accounts; split it by follower, or bring the events`,
          { retry: false },
        );
      number = this.#keys.push(key) - 1;
      this.#numbers.set(key, number);
    }
    if (token !== key) this.#numbers.set(token, number); // npub or capitals: not decoded twice
    return number;
  }
}
