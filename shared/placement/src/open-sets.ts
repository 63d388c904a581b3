import type { FollowGraph } from '@covey/graph';

/** Lists of members by group, in rows and as bit sets: what covers of many readers are computed from. */
export interface MemberRows {
  /** row of each account; `noRow` where it has none */
  rowOf: Uint32Array;
  starts: Uint32Array;
  members: Uint16Array;
  /** rows × words */
  bits: Int32Array;
  words: number;
}

export const noRow = 0xffffffff;
const starts = 2654435761 | 0;

export function memberRows(rowOf: Uint32Array, rows: readonly (readonly number[])[], k: number): MemberRows {
  const words = (k + 31) >>> 5;
  const offsets = new Uint32Array(rows.length + 1);
  for (let row = 0; row < rows.length; row++) offsets[row + 1] = offsets[row] + rows[row].length;
  const members = new Uint16Array(offsets[rows.length]);
  const bits = new Int32Array(rows.length * words);
  for (let row = 0; row < rows.length; row++) {
    rows[row].forEach((member, i) => {
      members[offsets[row] + i] = member;
      bits[row * words + (member >>> 5)] |= 1 << (member & 31);
    });
  }
  return { rowOf, starts: offsets, members, bits, words };
}

export interface OpenSets {
  /** accounts × words: the members that each account opens as a reader */
  open: Int32Array;
  /** accounts that open each member */
  connections: Float64Array;
  /** (reader, followee) pairs read from each member */
  reads: Float64Array;
  readers: number;
}

/**
 * The greedy cover (metrics: the member with most followees left, ties from a start that depends on the reader) of what is
 * placed of each account's followees: all accounts, at 8 bytes each for 64 members.
 */
export function openSets(graph: FollowGraph, rows: MemberRows, k: number, into?: OpenSets): OpenSets {
  const { rowOf, words, bits, members } = rows;
  const open = into?.open.fill(0) ?? new Int32Array(graph.nodes * words);
  const connections = new Float64Array(k);
  const reads = new Float64Array(k);
  let most = 0;
  for (let account = 0; account < graph.nodes; account++) {
    most = Math.max(most, graph.offsets[account + 1] - graph.offsets[account]);
  }
  const pending = new Uint32Array(most);
  const gain = new Int32Array(k);
  let readers = 0;
  for (let account = 0; account < graph.nodes; account++) {
    let left = 0;
    gain.fill(0);
    for (let i = graph.offsets[account]; i < graph.offsets[account + 1]; i++) {
      const row = rowOf[graph.targets[i]];
      if (row === noRow) continue;
      pending[left++] = row;
      for (let j = rows.starts[row]; j < rows.starts[row + 1]; j++) gain[members[j]]++;
    }
    if (left === 0) continue;
    readers++;
    const first = (Math.imul(account, starts) >>> 0) % k;
    while (left > 0) {
      let best = first;
      for (let member = first + 1; member < k; member++) if (gain[member] > gain[best]) best = member;
      for (let member = 0; member < first; member++) if (gain[member] > gain[best]) best = member;
      if (gain[best] === 0) break;
      const word = best >>> 5;
      const bit = 1 << (best & 31);
      open[account * words + word] |= bit;
      connections[best]++;
      reads[best] += gain[best];
      let write = 0;
      for (let i = 0; i < left; i++) {
        const row = pending[i];
        if ((bits[row * words + word] & bit) === 0) pending[write++] = row;
        else for (let j = rows.starts[row]; j < rows.starts[row + 1]; j++) gain[members[j]]--;
      }
      left = write;
    }
  }
  return { open, connections, reads, readers };
}
