import { bytesToHex, hexToBytes } from '@noble/hashes/utils';
import {
  InvalidTableError,
  MOVE_PHASES,
  PREFIX_BYTES,
  PREFIX_ROW_BYTES,
  type TableContent,
  type TableGroup,
  type TableMember,
  type TableMove,
} from './content.ts';
import { encodeTable } from './encode.ts';
import { compareBytes } from './rows.ts';
import { PlacementTable } from './table.ts';

const MAGIC = 'COVEYDLT';
const VERSION = 1;
const HEADER_BYTES = 96;

/** A delta does not fit the table at hand, or its result is not what it promises: fetch the snapshot. */
export class DeltaMismatchError extends Error {
  override name = 'DeltaMismatchError';
}

interface DeltaBody {
  cluster: string;
  members: readonly TableMember[];
  groupCount: number;
  /** [group, list, copies, flags: 1 hub, 2 pinned] */
  groups: [number, readonly number[], number, number][];
  /** [group, phase, old list, copies, flags] */
  moves: [number, number, readonly number[], number, number][];
}

function flagsOf(group: TableGroup): number {
  return (group.hub ? 1 : 0) | (group.pinned ? 2 : 0);
}

function sameGroup(a: TableGroup, b: TableGroup): boolean {
  return (
    a.copies === b.copies &&
    a.hub === b.hub &&
    a.pinned === b.pinned &&
    a.members.length === b.members.length &&
    a.members.every((member, i) => member === b.members[i])
  );
}

/**
 * What turns table `from` into table `to`: changed groups, removed and added rows, the moves and the members whole.
 * Its size follows what changed, not the size of the table. README.md has the layout.
 */
export function diffTables(from: PlacementTable, to: PlacementTable): Uint8Array {
  const a = from.content();
  const b = to.content();
  const body: DeltaBody = {
    cluster: b.cluster,
    members: b.members,
    groupCount: b.groups.length,
    groups: [],
    moves: [],
  };
  b.groups.forEach((group, i) => {
    const before = a.groups[i];
    if (!before || !sameGroup(before, group))
      body.groups.push([i, group.members, group.copies, flagsOf(group)]);
  });
  for (const move of b.moves)
    body.moves.push([
      move.group,
      MOVE_PHASES.indexOf(move.phase),
      move.from.members,
      move.from.copies,
      flagsOf(move.from),
    ]);

  const removed: Uint8Array[] = [];
  const added: Uint8Array[] = [];
  const x = a.rows.prefixes;
  const y = b.rows.prefixes;
  for (let i = 0, j = 0; i < x.length || j < y.length; ) {
    const order = i >= x.length ? 1 : j >= y.length ? -1 : compareBytes(x, i, y, j, PREFIX_BYTES);
    if (order < 0) removed.push(x.subarray(i, i + PREFIX_BYTES));
    else if (order > 0 || compareBytes(x, i, y, j, PREFIX_ROW_BYTES) !== 0)
      added.push(y.subarray(j, j + PREFIX_ROW_BYTES));
    if (order <= 0) i += PREFIX_ROW_BYTES;
    if (order >= 0) j += PREFIX_ROW_BYTES;
  }

  const json = new TextEncoder().encode(JSON.stringify(body));
  const parts = [json, ...removed, ...added, b.rows.exceptions];
  const bytes = new Uint8Array(HEADER_BYTES + parts.reduce((sum, part) => sum + part.length, 0));
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, from.epoch, true);
  view.setUint32(16, to.epoch, true);
  view.setUint32(20, json.length, true);
  view.setUint32(24, removed.length, true);
  view.setUint32(28, added.length, true);
  bytes.set(hexToBytes(from.root), 32);
  bytes.set(hexToBytes(to.root), 64);
  let at = HEADER_BYTES;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Epochs and roots that a delta leads from and to. @throws InvalidTableError when it is not a delta. */
export function deltaHeader(delta: Uint8Array): {
  from: number;
  to: number;
  fromRoot: string;
  toRoot: string;
} {
  if (delta.length < HEADER_BYTES || new TextDecoder().decode(delta.subarray(0, 8)) !== MAGIC)
    throw new InvalidTableError('not a Covey table delta');
  const view = new DataView(delta.buffer, delta.byteOffset, delta.byteLength);
  if (view.getUint32(8, true) !== VERSION) throw new InvalidTableError('a delta of another format version');
  return {
    from: view.getUint32(12, true),
    to: view.getUint32(16, true),
    fromRoot: bytesToHex(delta.subarray(32, 64)),
    toRoot: bytesToHex(delta.subarray(64, 96)),
  };
}

/**
 * The table that `delta` leads to from `table`, byte for byte.
 * @throws DeltaMismatchError when the delta starts elsewhere, or the result has not the root that it promises.
 */
export function applyDelta(table: PlacementTable, delta: Uint8Array): PlacementTable {
  const header = deltaHeader(delta);
  if (header.from !== table.epoch || header.fromRoot !== table.root)
    throw new DeltaMismatchError(
      `the delta starts at epoch ${header.from}, the table at hand is epoch ${table.epoch}`,
    );
  const next = new PlacementTable(encodeTable(nextContent(table, delta, header.to)));
  if (next.root !== header.toRoot)
    throw new DeltaMismatchError(`the delta to epoch ${header.to} gives another table`);
  return next;
}

function nextContent(table: PlacementTable, delta: Uint8Array, epoch: number): TableContent {
  const view = new DataView(delta.buffer, delta.byteOffset, delta.byteLength);
  const removedAt = HEADER_BYTES + view.getUint32(20, true);
  const addedAt = removedAt + view.getUint32(24, true) * PREFIX_BYTES;
  const exceptionsAt = addedAt + view.getUint32(28, true) * PREFIX_ROW_BYTES;
  if (exceptionsAt > delta.length) throw new InvalidTableError('the delta is cut off');
  const body = readBody(delta.subarray(HEADER_BYTES, removedAt));
  const toGroup = (members: readonly number[], copies: number, flags: number): TableGroup => ({
    members,
    copies,
    hub: (flags & 1) !== 0,
    pinned: (flags & 2) !== 0,
  });
  const content = table.content();
  const groups = content.groups.slice(0, body.groupCount);
  for (const [group, members, copies, flags] of body.groups) groups[group] = toGroup(members, copies, flags);
  if (groups.length !== body.groupCount || groups.includes(undefined as never))
    throw new InvalidTableError('the delta leaves a group without a list');
  const moves: TableMove[] = body.moves.map(([group, phase, members, copies, flags]) => ({
    group,
    phase: MOVE_PHASES[phase]!,
    from: toGroup(members, copies, flags),
  }));
  const prefixes = mergeRows(
    content.rows.prefixes,
    delta.subarray(removedAt, addedAt),
    delta.subarray(addedAt, exceptionsAt),
  );
  return {
    cluster: body.cluster,
    epoch,
    members: body.members,
    groups,
    moves,
    rows: { prefixes, exceptions: delta.slice(exceptionsAt) },
  };
}

function readBody(bytes: Uint8Array): DeltaBody {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidTableError('the delta is not readable', { cause });
  }
}

/** Old rows without the removed prefixes, with added rows put in or put in place of rows of the same prefix. All sorted. */
function mergeRows(old: Uint8Array, removed: Uint8Array, added: Uint8Array): Uint8Array {
  const merged = new Uint8Array(old.length + added.length);
  let length = 0;
  let r = 0;
  let i = 0;
  for (let j = 0; i < old.length || j < added.length; ) {
    const order = i >= old.length ? 1 : j >= added.length ? -1 : compareBytes(old, i, added, j, PREFIX_BYTES);
    if (order < 0) {
      if (r < removed.length && compareBytes(removed, r, old, i, PREFIX_BYTES) === 0) r += PREFIX_BYTES;
      else {
        merged.set(old.subarray(i, i + PREFIX_ROW_BYTES), length);
        length += PREFIX_ROW_BYTES;
      }
    } else {
      merged.set(added.subarray(j, j + PREFIX_ROW_BYTES), length);
      length += PREFIX_ROW_BYTES;
    }
    if (order <= 0) i += PREFIX_ROW_BYTES;
    if (order >= 0) j += PREFIX_ROW_BYTES;
  }
  return merged.slice(0, length);
}
