import {
  EXCEPTION_ROW_BYTES,
  InvalidTableError,
  KEY_BYTES,
  MOVE_PHASES,
  PREFIX_BYTES,
  PREFIX_ROW_BYTES,
  type TableGroup,
  type TableMove,
} from './content.ts';
import {
  FORMAT_VERSION,
  GROUP_RECORD_BYTES,
  groupFlags,
  HEADER_BYTES,
  MAGIC,
  MOVE_RECORD_BYTES,
  SECTIONS,
} from './encode.ts';
import { PAGE_BYTES, PageProver, pageCount, verifyPage } from './merkle.ts';
import { compareBytes, readU32 } from './rows.ts';

/** More than any look-up reads: 8, and a list of members over two more. */
const PAGES_MAX = 16;

/** Pages of a table, each with its way up to the root: enough to see where one key lives. */
export interface KeyProof {
  tableBytes: number;
  /** Where the key stands, or would stand, among the rows, the exceptions and the moves: rows before it in each. */
  at: { row: number; exception: number; move: number };
  pages: { index: number; bytes: Uint8Array; path: string[] }[];
}

/** What a proof shows. */
export interface ProvedPlacement {
  epoch: number;
  /** Whether the table lists the key; when not, `group` is its slot. */
  listed: boolean;
  group: number;
  list: TableGroup;
  /** While the group changes its members: the list that it leaves, and the phase. */
  move?: TableMove | undefined;
}

/** The pages do not prove where the key lives: one is missing, or not of this table. */
export class InvalidProofError extends Error {
  override name = 'InvalidProofError';
}

/**
 * The pages from which `verifyKeyProof` answers where `key` lives. Found by doing what that does and noting what it reads:
 * the header; a row, or the two neighbours between which it would stand; the group, its list, and its move or the gap
 * where that would be: 4 to 8 pages.
 * @param key 32 bytes. @param slot the key's slot. @param prover of this table, to make many proofs
 */
export function proveKey(
  table: Uint8Array,
  key: Uint8Array,
  slot: number,
  prover = new PageProver(table),
): KeyProof {
  const touched = new Set<number>();
  const at = positionsOf(table, key, slot);
  lookUp(
    (from, length) => {
      const last = Math.floor((from + length - 1) / PAGE_BYTES);
      for (let page = Math.floor(from / PAGE_BYTES); page <= last; page++) touched.add(page);
      return table.subarray(from, from + length);
    },
    key,
    slot,
    at,
  );
  const indexes = [...touched].sort((a, b) => a - b);
  const paths = prover.prove(indexes);
  return {
    tableBytes: table.length,
    at,
    pages: indexes.map((index, i) => ({
      index,
      bytes: table.slice(index * PAGE_BYTES, (index + 1) * PAGE_BYTES),
      path: paths[i]!,
    })),
  };
}

/**
 * Where `key` lives by the table of this root, without the table. Member indexes count the `member` tags of the manifest,
 * which stand in the order of the table.
 * @param root and tableBytes as the manifest has them.
 * @param slot the first 12 bits of SHA-256 of the key.
 * @throws InvalidProofError
 */
export function verifyKeyProof(
  { root, tableBytes }: { root: string; tableBytes: number },
  key: Uint8Array,
  slot: number,
  proof: KeyProof,
): ProvedPlacement {
  if (proof.tableBytes !== tableBytes) throw new InvalidProofError('the proof is of a table of another size');
  const pages = pageCount({ length: tableBytes });
  if (proof.pages.length > PAGES_MAX) throw new InvalidProofError('the proof has too many pages');
  const known = new Map<number, Uint8Array>();
  for (const { index, bytes, path } of proof.pages) {
    const length = Math.min(PAGE_BYTES, tableBytes - index * PAGE_BYTES);
    if (bytes.length !== length || !verifyPage(root, pages, index, bytes, path))
      throw new InvalidProofError(`page ${index} is not of the table that the manifest names`);
    known.set(index, bytes);
  }
  try {
    return lookUp((from, length) => readKnown(known, from, length), key, slot, proof.at);
  } catch (cause) {
    if (cause instanceof InvalidProofError) throw cause;
    throw new InvalidProofError(`the pages make no sense: ${(cause as Error).message}`, { cause });
  }
}

function readKnown(known: ReadonlyMap<number, Uint8Array>, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const page = known.get(Math.floor((at + done) / PAGE_BYTES));
    const from = (at + done) % PAGE_BYTES;
    const part = page?.subarray(from, from + length - done);
    if (!part || part.length === 0) throw new InvalidProofError('a page is missing from the proof');
    bytes.set(part, done);
    done += part.length;
  }
  return bytes;
}

type Read = (at: number, length: number) => Uint8Array;

const u32 = (read: Read, at: number) => readU32(read(at, 4), 0);

interface Sections {
  groups: S;
  lists: S;
  moves: S;
  prefixes: S;
  exceptions: S;
}

function sectionsOf(read: Read): Sections {
  const header = read(0, HEADER_BYTES);
  if (new TextDecoder().decode(header.subarray(0, 8)) !== MAGIC || header[8] !== FORMAT_VERSION)
    throw new InvalidTableError('not a placement table of this version');
  const [, groups, lists, moves, prefixes, exceptions] = SECTIONS.map((_, i) => ({
    at: readU32(header, 64 + i * 8),
    bytes: readU32(header, 68 + i * 8),
  })) as [S, S, S, S, S, S];
  return { groups, lists, moves, prefixes, exceptions };
}

/** Rows, exceptions and moves before the key's own place, by binary search in the whole table. */
function positionsOf(table: Uint8Array, key: Uint8Array, slot: number): KeyProof['at'] {
  const read: Read = (at, length) => table.subarray(at, at + length);
  const { prefixes, exceptions, moves } = sectionsOf(read);
  const row = lowerBound(prefixes.bytes / PREFIX_ROW_BYTES, (i) =>
    compareBytes(table, prefixes.at + i * PREFIX_ROW_BYTES, key, 0, PREFIX_BYTES),
  );
  const exception = lowerBound(exceptions.bytes / EXCEPTION_ROW_BYTES, (i) =>
    compareBytes(table, exceptions.at + i * EXCEPTION_ROW_BYTES, key, 0, KEY_BYTES),
  );
  const group = groupAt(read, prefixes, exceptions, key, { row, exception }) ?? slot;
  const move = lowerBound(
    moves.bytes / MOVE_RECORD_BYTES,
    (i) => readU32(table, moves.at + i * MOVE_RECORD_BYTES) - group,
  );
  return { row, exception, move };
}

/** The first of `count` sorted things that does not come before what is looked for. */
function lowerBound(count: number, compare: (i: number) => number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(middle) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The look-up of README.md ("Where a key lives") at places that are given, and checked. */
function lookUp(read: Read, key: Uint8Array, slot: number, at: KeyProof['at']): ProvedPlacement {
  if (key.length !== KEY_BYTES) throw new RangeError('a key has 32 bytes');
  const { groups, lists, moves, prefixes, exceptions } = sectionsOf(read);
  const listedGroup = groupAt(read, prefixes, exceptions, key, at);
  const group = listedGroup ?? slot;
  if ((group + 1) * GROUP_RECORD_BYTES > groups.bytes) throw new InvalidTableError('no such group');
  const record = read(groups.at + group * GROUP_RECORD_BYTES, GROUP_RECORD_BYTES);
  const list = readList(read, lists, readU32(record, 0), record.subarray(4));
  const moveAt = placeIn(read, moves, MOVE_RECORD_BYTES, at.move, (bytes) => readU32(bytes, 0) - group);
  const move = moveAt === undefined ? undefined : readMove(read, lists, moveAt, group);
  return { epoch: u32(read, 12), listed: listedGroup !== undefined, group, list, ...(move ? { move } : {}) };
}

/** The group that lists the key, or undefined when neither a row nor an exception does. */
function groupAt(
  read: Read,
  prefixes: S,
  exceptions: S,
  key: Uint8Array,
  at: { row: number; exception: number },
): number | undefined {
  const compare = (bytes: number) => (row: Uint8Array) => compareBytes(row, 0, key, 0, bytes);
  const row = placeIn(read, prefixes, PREFIX_ROW_BYTES, at.row, compare(PREFIX_BYTES));
  if (row !== undefined) return u32(read, row + PREFIX_BYTES);
  const other = placeIn(read, exceptions, EXCEPTION_ROW_BYTES, at.exception, compare(KEY_BYTES));
  return other === undefined ? undefined : u32(read, other + KEY_BYTES);
}

/**
 * Where the row looked for is, when it is number `index`; undefined when it is in none, which its neighbours show.
 * @throws InvalidProofError when neither is so.
 */
function placeIn(
  read: Read,
  { at, bytes }: S,
  rowBytes: number,
  index: number,
  compare: (row: Uint8Array) => number,
): number | undefined {
  const count = bytes / rowBytes;
  if (!Number.isSafeInteger(index) || index < 0 || index > count)
    throw new InvalidProofError('the proof points outside the table');
  const rowAt = at + index * rowBytes;
  const order = index < count ? compare(read(rowAt, rowBytes)) : 1;
  if (order === 0) return rowAt;
  if (order < 0 || (index > 0 && compare(read(rowAt - rowBytes, rowBytes)) >= 0))
    throw new InvalidProofError('the proof points at another place than the key’s');
  return undefined;
}

interface S {
  at: number;
  bytes: number;
}

function readList(read: Read, lists: S, start: number, tail: Uint8Array): TableGroup {
  const [length = 0, copies = 0, flags = 0] = tail;
  if (length === 0 || copies === 0 || copies > length || (start + length) * 2 > lists.bytes)
    throw new InvalidTableError('a list of members is malformed');
  const bytes = read(lists.at + start * 2, length * 2);
  const members = Array.from({ length }, (_, i) => bytes[i * 2]! | (bytes[i * 2 + 1]! << 8));
  return { members, copies, ...groupFlags(flags) };
}

function readMove(read: Read, lists: S, at: number, group: number): TableMove {
  const record = read(at, MOVE_RECORD_BYTES);
  const phase = MOVE_PHASES[record[11]!];
  if (!phase) throw new InvalidTableError('a move is malformed');
  return { group, phase, from: readList(read, lists, readU32(record, 4), record.subarray(8)) };
}
