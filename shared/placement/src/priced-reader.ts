import type { FollowGraph } from '@covey/graph';
import { relativeLoads } from './capacity.ts';
import type { ReaderLoads } from './greedy-reader.ts';
import { movePrices, priceOf } from './prices.ts';
import { noGroup, type PlacementMember } from './problem.ts';
import { memberNumber, openScore, readScore } from './reader-rule.ts';

/** Rounds in which members publish prices and readers answer, before the round that is measured. */
const priceRounds = 11;

export interface PricedLoads extends ReaderLoads {
  /** the published prices under which this was measured, by member */
  openPrices: Uint32Array;
  readPrices: Uint32Array;
}

/**
 * Readers by the reader's rule (`reader-rule.ts`), after prices have settled. The number of a reader is its account's.
 * @param rounds price rounds before the one that is measured; 0 measures with equal prices
 */
export function measurePriced(
  graph: FollowGraph,
  readers: Uint32Array,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  members: readonly PlacementMember[],
  rounds = priceRounds,
): PricedLoads {
  const k = members.length;
  const openLogs = new Int32Array(k);
  const readLogs = new Int32Array(k);
  const scores = usualScores(readers, members);
  for (let round = 0; ; round++) {
    const openPrices = Uint32Array.from(openLogs, priceOf);
    const readPrices = Uint32Array.from(readLogs, priceOf);
    const loads = pricedRound(graph, readers, groupOf, rows, scores, openPrices, readPrices);
    if (round === rounds) return { ...loads, openPrices, readPrices };
    movePrices(openLogs, relativeLoads(loads.connections, members, 'connections'));
    movePrices(readLogs, relativeLoads(loads.reads, members, 'reads'));
  }
}

interface Scores {
  /** scores at price 1, readers × members */
  open: Uint32Array;
  read: Uint32Array;
}

function usualScores(readers: Uint32Array, members: readonly PlacementMember[]): Scores {
  const k = members.length;
  const numbers = members.map(({ id }) => memberNumber(id));
  const open = new Uint32Array(readers.length * k);
  const read = new Uint32Array(readers.length * k);
  for (let r = 0; r < readers.length; r++) {
    for (let member = 0; member < k; member++) {
      open[r * k + member] = openScore(readers[r], numbers[member], 1);
      read[r * k + member] = readScore(readers[r], numbers[member], 1);
    }
  }
  return { open, read };
}

function pricedRound(
  graph: FollowGraph,
  readers: Uint32Array,
  groupOf: Uint32Array,
  rows: readonly (readonly number[])[],
  scores: Scores,
  openPrices: Uint32Array,
  readPrices: Uint32Array,
): ReaderLoads {
  const k = openPrices.length;
  const fanouts = new Uint32Array(readers.length);
  const connections = new Float64Array(k);
  const reads = new Float64Array(k);
  const gain = new Int32Array(k);
  const isOpen = new Uint8Array(k);
  const followed: (readonly number[])[] = [];
  const pending: (readonly number[])[] = [];
  let total = 0;
  for (let r = 0; r < readers.length; r++) {
    const reader = readers[r];
    gain.fill(0);
    isOpen.fill(0);
    followed.length = 0;
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) {
      const group = groupOf[graph.targets[i]];
      if (group === noGroup || rows[group].length === 0) continue;
      followed.push(rows[group]);
      for (const member of rows[group]) gain[member]++;
    }
    const opened: number[] = [];
    pending.length = 0;
    for (const row of followed) pending.push(row);
    while (pending.length > 0) {
      let best = -1;
      let bestScore = 0;
      for (let member = 0; member < k; member++) {
        if (gain[member] === 0 || (best >= 0 && gain[member] < gain[best])) continue;
        const score = openPrices[member] * scores.open[r * k + member];
        if (best < 0 || gain[member] > gain[best] || score < bestScore) {
          best = member;
          bestScore = score;
        }
      }
      isOpen[best] = 1;
      opened.push(best);
      let write = 0;
      for (const row of pending) {
        if (row.includes(best)) for (const member of row) gain[member]--;
        else pending[write++] = row;
      }
      pending.length = write;
    }
    closeRedundant(opened, isOpen, followed);
    for (const member of opened) connections[member]++;
    for (const row of followed) {
      let from = -1;
      let fromScore = 0;
      for (const member of row) {
        if (!isOpen[member]) continue;
        const score = readPrices[member] * scores.read[r * k + member];
        if (from < 0 || score < fromScore) {
          from = member;
          fromScore = score;
        }
      }
      reads[from]++;
    }
    fanouts[r] = opened.length;
    total += opened.length;
  }
  return { fanout: readers.length > 0 ? total / readers.length : 0, fanouts, connections, reads };
}

function closeRedundant(
  opened: number[],
  isOpen: Uint8Array,
  followed: readonly (readonly number[])[],
): void {
  for (let at = opened.length - 2; at >= 0; at--) {
    const member = opened[at];
    isOpen[member] = 0;
    if (followed.every((row) => row.some((other) => isOpen[other] === 1))) opened.splice(at, 1);
    else isOpen[member] = 1;
  }
}
