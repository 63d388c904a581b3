import { slotOf } from '@covey/placement';
import {
  compareBytes,
  EXCEPTION_ROW_BYTES,
  KEY_BYTES,
  type PlacementTable,
  PREFIX_BYTES,
  PREFIX_ROW_BYTES,
  readU32,
} from '@covey/table';

/** The whole key (32 bytes) of a listed account whose first 10 bytes stand at `at`; undefined when nobody knows it. */
export type KeyOf = (bytes: Uint8Array, at: number) => Uint8Array | undefined;

/** The group of a key that one of the tables does not list while its slot is not known either. */
export const UNKNOWN_GROUP = -1;

/**
 * @param bytes holds the key at `at`: all of it when `whole`, else its first 10 bytes
 * @param from its group under the current table: a slot when that does not list it
 * @param to its group under the target
 */
export type VisitRow = (bytes: Uint8Array, at: number, whole: boolean, from: number, to: number) => void;

const hexOf = (bytes: Uint8Array, at: number) => {
  let text = '';
  for (let i = at; i < at + PREFIX_BYTES; i++) text += bytes[i]!.toString(16).padStart(2, '0');
  return text;
};

/** Every key that either of two tables lists, with its group in both; prefixes ascending, then whole keys. */
export class RowPairs {
  readonly current: PlacementTable;
  readonly target: PlacementTable;
  readonly #keyOf: KeyOf;
  /** Whole keys that stand in the exceptions of either table, ascending. */
  readonly #wholeKeys: Uint8Array[];
  readonly #collisions: Set<string>;

  constructor(current: PlacementTable, target: PlacementTable, keyOf: KeyOf) {
    this.current = current;
    this.target = target;
    this.#keyOf = keyOf;
    const keys = new Map<string, Uint8Array>();
    for (const { rows } of [current, target])
      for (let at = 0; at < rows.exceptions.length; at += EXCEPTION_ROW_BYTES) {
        const key = rows.exceptions.slice(at, at + KEY_BYTES);
        keys.set(key.join(), key);
      }
    this.#wholeKeys = [...keys.values()].sort((a, b) => compareBytes(a, 0, b, 0, KEY_BYTES));
    this.#collisions = new Set(this.#wholeKeys.map((key) => hexOf(key, 0)));
  }

  forEach(visit: VisitRow): void {
    const a = this.current.rows.prefixes;
    const b = this.target.rows.prefixes;
    for (let i = 0, j = 0; i < a.length || j < b.length; ) {
      const order = i >= a.length ? 1 : j >= b.length ? -1 : compareBytes(a, i, b, j, PREFIX_BYTES);
      const [bytes, at] = order <= 0 ? [a, i] : [b, j];
      if (this.#collisions.size === 0 || !this.#collisions.has(hexOf(bytes, at))) {
        if (order === 0) visit(a, i, false, readU32(a, i + PREFIX_BYTES), readU32(b, j + PREFIX_BYTES));
        else {
          const key = this.#keyOf(bytes, at);
          const slot = key ? slotOf(key) : UNKNOWN_GROUP;
          if (order < 0) visit(a, i, false, readU32(a, i + PREFIX_BYTES), slot);
          else visit(b, j, false, slot, readU32(b, j + PREFIX_BYTES));
        }
      }
      if (order <= 0) i += PREFIX_ROW_BYTES;
      if (order >= 0) j += PREFIX_ROW_BYTES;
    }
    for (const key of this.#wholeKeys)
      visit(key, 0, true, this.current.groupOf(key), this.target.groupOf(key));
  }

  /** Whether the target needs whole keys to tell accounts with this prefix apart. */
  collidesInTarget(prefix: Uint8Array): boolean {
    const { exceptions } = this.target.rows;
    for (let at = 0; at < exceptions.length; at += EXCEPTION_ROW_BYTES)
      if (compareBytes(exceptions, at, prefix, 0, PREFIX_BYTES) === 0) return true;
    return false;
  }
}

/** Prefixes that one of the tables lists alone, 10 bytes each: their whole keys say which slots they come from or go to. */
export function prefixesInOneTable(current: PlacementTable, target: PlacementTable): Uint8Array[] {
  const found: Uint8Array[] = [];
  new RowPairs(current, target, (bytes, at) => {
    found.push(bytes.slice(at, at + PREFIX_BYTES));
    return undefined;
  }).forEach(() => {});
  return found;
}
