import { slotOf } from '@covey/placement';
import { hexToBytes } from '@noble/hashes/utils';
import {
  type AccountRows,
  EXCEPTION_ROW_BYTES,
  InvalidTableError,
  KEY_BYTES,
  MOVE_PHASES,
  PREFIX_BYTES,
  PREFIX_ROW_BYTES,
  SLOT_GROUPS,
  type TableContent,
  type TableGroup,
  type TableMember,
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
import { merkleRoot } from './merkle.ts';
import { compareBytes, findException, findPrefix, readU32 } from './rows.ts';

/** Where a key lives. */
export interface Located extends TableGroup {
  /** `table`: a group lists the key; `pin`: a group that follows the account's own relay list; `slot`: by hash. */
  source: 'table' | 'pin' | 'slot';
  group: number;
  /** Set while the group changes its members. */
  move?: TableMove;
}

/** A decoded placement table: a view on its bytes, immutable. */
export class PlacementTable {
  readonly bytes: Uint8Array;
  readonly cluster: string;
  readonly epoch: number;
  readonly members: readonly TableMember[];
  /** Groups, slots among them. */
  readonly groupCount: number;
  /** Accounts that the table lists. */
  readonly accounts: number;
  readonly #view: DataView;
  readonly #groupsAt: number;
  readonly #listsAt: number;
  /** Account → group rows, as they stand in the bytes. */
  readonly rows: AccountRows;
  readonly #moves = new Map<number, TableMove>();
  readonly #memberIndex = new Map<string, number>();
  #root: string | undefined;

  /**
   * Checks the frame and every reference in it, so that look-ups need not.
   * @throws InvalidTableError when the bytes are not a whole table of this version.
   */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER_BYTES || new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC)
      throw new InvalidTableError('not a Covey placement table');
    const version = view.getUint16(8, true);
    if (version !== FORMAT_VERSION)
      throw new InvalidTableError(
        `table format ${version}; this software reads ${FORMAT_VERSION}: upgrade it`,
      );
    const section = SECTIONS.map((name, i) => {
      const offset = view.getUint32(64 + i * 8, true);
      const length = view.getUint32(68 + i * 8, true);
      if (offset + length > bytes.length) throw new InvalidTableError(`the ${name} section is cut off`);
      return { offset, length, bytes: bytes.subarray(offset, offset + length) };
    });
    const [members, groups, lists, moves, prefixes, exceptions] = section as [S, S, S, S, S, S];
    this.bytes = bytes;
    this.#view = view;
    this.epoch = view.getUint32(12, true);
    this.groupCount = view.getUint32(16, true);
    this.#groupsAt = groups.offset;
    this.#listsAt = lists.offset;
    this.rows = { prefixes: prefixes.bytes, exceptions: exceptions.bytes };
    this.accounts = view.getUint32(24, true) + view.getUint32(28, true);
    const moveCount = view.getUint32(20, true);
    if (
      this.groupCount < SLOT_GROUPS ||
      groups.length !== this.groupCount * GROUP_RECORD_BYTES ||
      moves.length !== moveCount * MOVE_RECORD_BYTES ||
      prefixes.length !== view.getUint32(24, true) * PREFIX_ROW_BYTES ||
      exceptions.length !== view.getUint32(28, true) * EXCEPTION_ROW_BYTES ||
      lists.length % 2 !== 0
    )
      throw new InvalidTableError('section lengths do not fit the counts in the header');
    const parsed = parseMembers(members.bytes);
    this.cluster = parsed.cluster;
    this.members = parsed.members;
    if (this.members.length !== view.getUint32(32, true))
      throw new InvalidTableError('members do not fit their count');
    this.members.forEach((member, i) => {
      this.#memberIndex.set(member.id, i);
    });
    this.#check(lists.length / 2);
    for (let i = 0; i < moveCount; i++) {
      const at = moves.offset + i * MOVE_RECORD_BYTES;
      const group = view.getUint32(at, true);
      const phase = MOVE_PHASES[bytes[at + 11]!];
      const from = this.#list(view.getUint32(at + 4, true), at + 8, lists.length / 2);
      if (!phase || group >= this.groupCount) throw new InvalidTableError('a move is malformed');
      this.#moves.set(group, { group, phase, from });
    }
  }

  #list(start: number, at: number, entries: number): TableGroup {
    const [length, copies, flags] = this.bytes.subarray(at, at + 3) as unknown as [number, number, number];
    if (length === 0 || copies === 0 || copies > length || start + length > entries)
      throw new InvalidTableError('a list of members is malformed');
    const members: number[] = [];
    for (let i = 0; i < length; i++)
      members.push(this.#view.getUint16(this.#listsAt + (start + i) * 2, true));
    if (members.some((m) => m >= this.members.length))
      throw new InvalidTableError('a list names an unknown member');
    return { members, copies, ...groupFlags(flags) };
  }

  #check(entries: number): void {
    for (let g = 0; g < this.groupCount; g++)
      this.#list(this.#view.getUint32(this.#groupsAt + g * 8, true), this.#groupsAt + g * 8 + 4, entries);
    const { prefixes, exceptions } = this.rows;
    for (let at = 0; at < prefixes.length; at += PREFIX_ROW_BYTES) {
      if (readU32(prefixes, at + PREFIX_BYTES) >= this.groupCount)
        throw new InvalidTableError('a row names no group');
      if (at > 0 && compareBytes(prefixes, at - PREFIX_ROW_BYTES, prefixes, at, PREFIX_BYTES) >= 0)
        throw new InvalidTableError('rows are not sorted');
    }
    for (let at = 0; at < exceptions.length; at += EXCEPTION_ROW_BYTES) {
      if (readU32(exceptions, at + KEY_BYTES) >= this.groupCount)
        throw new InvalidTableError('a row names no group');
      if (at > 0 && compareBytes(exceptions, at - EXCEPTION_ROW_BYTES, exceptions, at, KEY_BYTES) >= 0)
        throw new InvalidTableError('exceptions are not sorted');
    }
  }

  /** @throws RangeError when there is no such group. */
  group(group: number): TableGroup {
    if (!(group >= 0 && group < this.groupCount)) throw new RangeError(`no group ${group}`);
    const at = this.#groupsAt + group * GROUP_RECORD_BYTES;
    return this.#list(this.#view.getUint32(at, true), at + 4, Number.POSITIVE_INFINITY);
  }

  moves(): TableMove[] {
    return [...this.#moves.values()];
  }

  /** Number of the group that lists `key` (32 bytes), or −1 when none does. At least a million a second on a core. */
  listedGroupOf(key: Uint8Array): number {
    const row = findPrefix(this.rows.prefixes, key);
    if (row >= 0) return readU32(this.rows.prefixes, row * PREFIX_ROW_BYTES + PREFIX_BYTES);
    if (this.rows.exceptions.length === 0) return -1;
    const exception = findException(this.rows.exceptions, key);
    return exception < 0 ? -1 : readU32(this.rows.exceptions, exception * EXCEPTION_ROW_BYTES + KEY_BYTES);
  }

  /** The group of any 32-byte key (a pubkey, or the SHA-256 of a hashtag): the one that lists it, or its slot. */
  groupOf(key: Uint8Array): number {
    const listed = this.listedGroupOf(key);
    return listed >= 0 ? listed : slotOf(key);
  }

  /** Where a pubkey lives. Every key lives somewhere. @param pubkey 32 bytes, or 64 hex digits. */
  locate(pubkey: string | Uint8Array): Located {
    const key = typeof pubkey === 'string' ? hexToBytes(pubkey) : pubkey;
    if (key.length !== KEY_BYTES) throw new RangeError('a key has 32 bytes');
    const listed = this.listedGroupOf(key);
    const number = listed >= 0 ? listed : slotOf(key);
    const group = this.group(number);
    const move = this.#moves.get(number);
    const source = listed < 0 ? 'slot' : group.pinned ? 'pin' : 'table';
    return { ...group, source, group: number, ...(move ? { move } : {}) };
  }

  memberIndex(id: string): number | undefined {
    return this.#memberIndex.get(id);
  }

  /** Merkle root (hex) over the table's pages. Computed once. */
  get root(): string {
    this.#root ??= merkleRoot(this.bytes);
    return this.#root;
  }

  /** Everything the table says, for a diff or to build the next one. */
  content(): TableContent {
    const groups: TableGroup[] = [];
    for (let g = 0; g < this.groupCount; g++) groups.push(this.group(g));
    return {
      cluster: this.cluster,
      epoch: this.epoch,
      members: this.members,
      groups,
      moves: this.moves(),
      rows: this.rows,
    };
  }
}

type S = { offset: number; length: number; bytes: Uint8Array };

function parseMembers(bytes: Uint8Array): { cluster: string; members: TableMember[] } {
  try {
    const json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const valid =
      typeof json.cluster === 'string' &&
      Array.isArray(json.members) &&
      json.members.every(
        (m: TableMember) =>
          /^[0-9a-f]{64}$/.test(m.id) &&
          typeof m.url === 'string' &&
          typeof m.operator === 'string' &&
          m.capacity.copies >= 0 &&
          (m.state === 'active' || m.state === 'draining'),
      );
    if (valid) return json;
  } catch (cause) {
    throw new InvalidTableError('the members section is not readable', { cause });
  }
  throw new InvalidTableError('the members section is malformed');
}
