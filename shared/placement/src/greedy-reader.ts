import type { FollowGraph } from '@covey/graph';
import { noGroup } from './problem.ts';

/** What readers do to members. */
export interface ReaderLoads {
  /** mean relays opened */
  fanout: number;
  /** relays opened by each reader */
  fanouts: Uint32Array;
  /** readers that open each member */
  connections: Float64Array;
  /** (reader, followee) pairs read from each member */
  reads: Float64Array;
}

/**
 * The reader of the definition (metrics: "Placement quality"): opens the relay that holds most of what is not covered,
 * ties from a relay that depends on the reader, until each followee is read from `need` of its copies (or all it has).
 * @param rows members of each group, master first
 * @param own with it, the reader's own members by group are open at the start and count
 * @param visit is told which members each reader (by its place in `readers`) has open in the end
 */
export function measureGreedy(
  graph: FollowGraph,
  readers: Uint32Array,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  k: number,
  need: number,
  own?: readonly (readonly number[])[],
  visit?: (reader: number, isOpen: Uint8Array) => void,
): ReaderLoads {
  const fanouts = new Uint32Array(readers.length);
  const connections = new Float64Array(k);
  const reads = new Float64Array(k);
  const gain = new Int32Array(k);
  const isOpen = new Uint8Array(k);
  const pending: (readonly number[])[] = [];
  const needs: number[] = [];
  let total = 0;
  for (let r = 0; r < readers.length; r++) {
    const reader = readers[r];
    gain.fill(0);
    isOpen.fill(0);
    pending.length = 0;
    needs.length = 0;
    let opened = 0;
    if (own && groupOf[reader] !== noGroup) {
      for (const member of own[groupOf[reader]]) {
        isOpen[member] = 1;
        opened++;
      }
    }
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) {
      const group = groupOf[graph.targets[i]];
      if (group === noGroup) continue;
      const row = rows[group];
      let needed = Math.min(need, row.length);
      if (opened > 0) {
        for (let j = 0; j < row.length && needed > 0; j++) {
          if (isOpen[row[j]]) needed--;
        }
      }
      if (needed === 0) continue;
      pending.push(row);
      needs.push(needed);
      for (let j = 0; j < row.length; j++) if (!isOpen[row[j]]) gain[row[j]]++;
    }
    const start = (Math.imul(reader, 2654435761 | 0) >>> 0) % k;
    while (pending.length > 0) {
      let best = start;
      for (let step = 1; step < k; step++) {
        const member = start + step < k ? start + step : start + step - k;
        if (gain[member] > gain[best]) best = member;
      }
      isOpen[best] = 1;
      opened++;
      connections[best]++;
      reads[best] += gain[best];
      gain[best] = 0;
      let write = 0;
      for (let i = 0; i < pending.length; i++) {
        const row = pending[i];
        if (row.includes(best) && --needs[i] === 0) {
          for (let j = 0; j < row.length; j++) if (!isOpen[row[j]]) gain[row[j]]--;
        } else {
          pending[write] = row;
          needs[write++] = needs[i];
        }
      }
      pending.length = write;
      needs.length = write;
    }
    visit?.(r, isOpen);
    fanouts[r] = opened;
    total += opened;
  }
  return { fanout: readers.length > 0 ? total / readers.length : 0, fanouts, connections, reads };
}
