import {
  EXCEPTION_ROW_BYTES,
  InvalidTableError,
  MOVE_PHASES,
  PREFIX_ROW_BYTES,
  SLOT_GROUPS,
  type TableContent,
  type TableGroup,
  type TableMember,
} from './content.ts';

export const MAGIC = 'COVEYTBL';
export const FORMAT_VERSION = 1;
/** Sections in their order in the file. Each starts at a multiple of 8 bytes; gaps are zero. */
export const SECTIONS = ['members', 'groups', 'lists', 'moves', 'prefixes', 'exceptions'] as const;
export const HEADER_BYTES = 64 + 8 * SECTIONS.length;
export const MEMBERS_MAX = 0xffff;
export const LIST_MEMBERS_MAX = 255;

const FLAG_HUB = 1;
const FLAG_PINNED = 2;
const utf8 = new TextEncoder();

/** Bytes of a group record: where its list starts in `lists` (u32, in entries), its length, copies, flags, 0 (u8 each). */
export const GROUP_RECORD_BYTES = 8;
/** Bytes of a move record: the group (u32), the start of the old list (u32), its length, copies, flags, phase (u8 each). */
export const MOVE_RECORD_BYTES = 12;

function flagsOf(group: TableGroup): number {
  return (group.hub ? FLAG_HUB : 0) | (group.pinned ? FLAG_PINNED : 0);
}

export function groupFlags(flags: number): { hub: boolean; pinned: boolean } {
  return { hub: (flags & FLAG_HUB) !== 0, pinned: (flags & FLAG_PINNED) !== 0 };
}

function checkGroup(group: TableGroup, members: number, what: string): void {
  const { length } = group.members;
  if (length === 0 || length > LIST_MEMBERS_MAX)
    throw new InvalidTableError(`${what} lists ${length} members; 1 to ${LIST_MEMBERS_MAX} are possible`);
  if (group.copies < 1 || group.copies > length)
    throw new InvalidTableError(`${what} says ${group.copies} copies of ${length} members`);
  if (new Set(group.members).size !== length) throw new InvalidTableError(`${what} lists a member twice`);
  for (const member of group.members)
    if (!(member >= 0 && member < members))
      throw new InvalidTableError(`${what} names member ${member} of ${members}`);
}

/** Canonical JSON of the members: fixed order of fields, no white space. */
function memberJson(cluster: string, members: readonly TableMember[]): string {
  return JSON.stringify({
    cluster,
    members: members.map(({ id, url, name, operator, capacity: c, state }) => ({
      id,
      url,
      name,
      operator,
      capacity: { copies: c.copies, connections: c.connections, reads: c.reads },
      state,
    })),
  });
}

/**
 * The table's bytes; the same content gives the same bytes. All numbers are little-endian. README.md has the layout.
 * @throws InvalidTableError when a group, a move or a row breaks an invariant.
 */
export function encodeTable(content: TableContent): Uint8Array {
  const { members, groups, moves, rows } = content;
  if (members.length === 0 || members.length > MEMBERS_MAX)
    throw new InvalidTableError(`a table has 1 to ${MEMBERS_MAX} members, not ${members.length}`);
  if (groups.length < SLOT_GROUPS)
    throw new InvalidTableError(`the first ${SLOT_GROUPS} groups are the slots`);
  groups.forEach((group, i) => {
    checkGroup(group, members.length, `group ${i}`);
  });
  moves.forEach((move, i) => {
    if (move.group >= groups.length || (i > 0 && moves[i - 1]!.group >= move.group))
      throw new InvalidTableError('moves are not sorted by group, or name a group that is not there');
    checkGroup(move.from, members.length, `the move of group ${move.group}`);
  });

  // Groups with equal lists share one entry of `lists`: most slots do when there are few members.
  const lists: number[] = [];
  const starts = new Map<string, number>();
  const startOf = (list: readonly number[]) => {
    const key = list.join();
    const known = starts.get(key);
    if (known !== undefined) return known;
    const start = lists.length;
    for (const member of list) lists.push(member);
    starts.set(key, start);
    return start;
  };
  const groupBytes = new Uint8Array(groups.length * GROUP_RECORD_BYTES);
  const groupView = new DataView(groupBytes.buffer);
  groups.forEach((group, i) => {
    const at = i * GROUP_RECORD_BYTES;
    groupView.setUint32(at, startOf(group.members), true);
    groupBytes.set([group.members.length, group.copies, flagsOf(group)], at + 4);
  });
  const moveBytes = new Uint8Array(moves.length * MOVE_RECORD_BYTES);
  const moveView = new DataView(moveBytes.buffer);
  moves.forEach(({ group, phase, from }, i) => {
    const at = i * MOVE_RECORD_BYTES;
    moveView.setUint32(at, group, true);
    moveView.setUint32(at + 4, startOf(from.members), true);
    moveBytes.set([from.members.length, from.copies, flagsOf(from), MOVE_PHASES.indexOf(phase)], at + 8);
  });
  const listBytes = new Uint8Array(lists.length * 2);
  const listView = new DataView(listBytes.buffer);
  lists.forEach((member, i) => {
    listView.setUint16(i * 2, member, true);
  });

  const sections: Uint8Array[] = [
    utf8.encode(memberJson(content.cluster, members)),
    groupBytes,
    listBytes,
    moveBytes,
    rows.prefixes,
    rows.exceptions,
  ];
  let length = HEADER_BYTES;
  const offsets = sections.map((section) => {
    const offset = (length + 7) & ~7;
    length = offset + section.length;
    return offset;
  });
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(utf8.encode(MAGIC));
  view.setUint16(8, FORMAT_VERSION, true);
  view.setUint16(10, sections.length, true);
  view.setUint32(12, content.epoch, true);
  view.setUint32(16, groups.length, true);
  view.setUint32(20, moves.length, true);
  view.setUint32(24, rows.prefixes.length / PREFIX_ROW_BYTES, true);
  view.setUint32(28, rows.exceptions.length / EXCEPTION_ROW_BYTES, true);
  view.setUint32(32, members.length, true);
  sections.forEach((section, i) => {
    view.setUint32(64 + i * 8, offsets[i]!, true);
    view.setUint32(68 + i * 8, section.length, true);
    bytes.set(section, offsets[i]!);
  });
  return bytes;
}
