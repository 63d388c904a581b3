import { openScore, readScore } from './reader-rule.ts';

export interface PlanProblem {
  /** number of keys; they are 0 .. keys−1 */
  keys: number;
  /** the members that hold a key, master first; empty when nobody does. Must answer the same when asked again */
  holders: (key: number) => readonly number[];
  /** most relays to open; the keys beyond are returned in `uncovered` */
  maxRelays?: number;
  /** read each key from that many of its holders, where it has as many (1 by default) */
  copies?: number;
  /** the reader's number (`readerNumber`): readers of different numbers spread over equal relays. 0 by default */
  reader?: number;
  /** the number of each member (`memberNumber`); its index by default */
  numbers?: ArrayLike<number>;
  /** published prices by member, whole numbers from 1 to 2²⁴, for opening and for reading; all equal by default */
  openPrices?: ArrayLike<number>;
  readPrices?: ArrayLike<number>;
}

export interface Plan {
  /** in the order in which they were opened, most gain first; `keys` ascending within a relay */
  relays: { member: number; keys: number[] }[];
  /** keys that are read from nobody, or from fewer holders than asked because of `maxRelays` */
  uncovered: number[];
}

/**
 * Which relays to open so that every key is read from one of its holders (or `copies` of them), by the reader's rule
 * (`reader-rule.ts`): greedy set cover (Johnson 1974; within ln n of the fewest), prices among equals, relays that later
 * choices made redundant dropped again, and each key read from the open holders of least reading score.
 *
 * O(keys × holders + relays × members): counts per member are kept up to date as keys are served.
 */
export function planRelays(problem: PlanProblem): Plan {
  const { keys, holders } = problem;
  const copies = problem.copies ?? 1;
  const maxRelays = problem.maxRelays ?? Number.POSITIVE_INFINITY;
  const rule = ruleOf(problem);
  const index = indexHolders(keys, holders);
  const { starts, heldBy, members } = index;
  const needs = new Uint8Array(keys);
  const gain = new Int32Array(members);
  for (let key = 0; key < keys; key++) {
    const held = starts[key + 1] - starts[key];
    needs[key] = Math.min(copies, held, 255);
    for (let i = starts[key]; i < starts[key + 1]; i++) gain[heldBy[i]]++;
  }
  const keysOf = invert(index, keys);
  const opened: number[] = [];
  const isOpen = new Uint8Array(members);
  while (opened.length < maxRelays) {
    const best = bestRelay(gain, rule);
    if (best < 0) break;
    opened.push(best);
    isOpen[best] = 1;
    gain[best] = 0;
    for (let i = keysOf.starts[best]; i < keysOf.starts[best + 1]; i++) {
      const key = keysOf.keys[i];
      if (needs[key] === 0 || --needs[key] > 0) continue;
      for (let j = starts[key]; j < starts[key + 1]; j++) if (!isOpen[heldBy[j]]) gain[heldBy[j]]--;
    }
  }
  dropRedundant(opened, isOpen, index, keysOf, copies);
  return readFrom(opened, index, keys, copies, rule);
}

interface HolderIndex {
  /** rows of holders by key */
  starts: Uint32Array;
  heldBy: Uint16Array;
  /** one more than the largest member index seen */
  members: number;
}

interface KeyIndex {
  starts: Uint32Array;
  keys: Uint32Array;
}

function indexHolders(keys: number, holders: PlanProblem['holders']): HolderIndex {
  const starts = new Uint32Array(keys + 1);
  let heldBy = new Uint16Array(keys * 4 + 16);
  let size = 0;
  let members = 0;
  for (let key = 0; key < keys; key++) {
    const list = holders(key);
    if (size + list.length > heldBy.length) {
      const larger = new Uint16Array(Math.max(heldBy.length * 2, size + list.length));
      larger.set(heldBy);
      heldBy = larger;
    }
    for (let i = 0; i < list.length; i++) {
      const member = list[i];
      heldBy[size++] = member;
      if (member >= members) members = member + 1;
    }
    starts[key + 1] = size;
  }
  return { starts, heldBy, members };
}

function invert(index: HolderIndex, keys: number): KeyIndex {
  const starts = new Uint32Array(index.members + 1);
  const size = index.starts[keys];
  for (let i = 0; i < size; i++) starts[index.heldBy[i] + 1]++;
  for (let member = 0; member < index.members; member++) starts[member + 1] += starts[member];
  const cursor = starts.slice();
  const byMember = new Uint32Array(size);
  for (let key = 0; key < keys; key++) {
    for (let i = index.starts[key]; i < index.starts[key + 1]; i++) byMember[cursor[index.heldBy[i]]++] = key;
  }
  return { starts, keys: byMember };
}

interface Rule {
  open: (member: number) => number;
  read: (member: number) => number;
}

/** Scores of members for this reader; the least wins. */
function ruleOf({ reader = 0, numbers, openPrices, readPrices }: PlanProblem): Rule {
  const numberOf = (member: number): number => numbers?.[member] ?? member;
  return {
    open: (member) => openScore(reader, numberOf(member), openPrices?.[member] ?? 1),
    read: (member) => readScore(reader, numberOf(member), readPrices?.[member] ?? 1),
  };
}

/** The member of most gain, or −1 when none gains anything. */
function bestRelay(gain: Int32Array, { open }: Rule): number {
  let best = -1;
  let most = 0;
  let bestScore = -1;
  for (let member = 0; member < gain.length; member++) {
    if (gain[member] < most || gain[member] === 0) continue;
    if (gain[member] > most) {
      most = gain[member];
      best = member;
      bestScore = -1;
      continue;
    }
    if (bestScore < 0) bestScore = open(best);
    const score = open(member);
    if (score < bestScore) {
      best = member;
      bestScore = score;
    }
  }
  return best;
}

/** Closes, last opened first, each relay without which every key keeps as many open holders as it needs. */
function dropRedundant(
  opened: number[],
  isOpen: Uint8Array,
  index: HolderIndex,
  keysOf: KeyIndex,
  copies: number,
): void {
  const open = new Uint16Array(index.starts.length - 1);
  for (const member of opened) {
    for (let i = keysOf.starts[member]; i < keysOf.starts[member + 1]; i++) open[keysOf.keys[i]]++;
  }
  for (let at = opened.length - 2; at >= 0; at--) {
    const member = opened[at];
    let redundant = true;
    for (let i = keysOf.starts[member]; redundant && i < keysOf.starts[member + 1]; i++) {
      const key = keysOf.keys[i];
      // A key below its need already is in `uncovered` either way, but one holder fewer would be a loss.
      redundant = open[key] > Math.min(copies, index.starts[key + 1] - index.starts[key]);
    }
    if (!redundant) continue;
    for (let i = keysOf.starts[member]; i < keysOf.starts[member + 1]; i++) open[keysOf.keys[i]]--;
    isOpen[member] = 0;
    opened.splice(at, 1);
  }
}

/** Each key is read from its open holders of least reading score. */
function readFrom(
  opened: readonly number[],
  index: HolderIndex,
  keys: number,
  copies: number,
  { read }: Rule,
): Plan {
  const relays = opened.map((member) => ({ member, keys: [] as number[] }));
  const position = new Int32Array(index.members).fill(-1);
  // Position in the order of reading scores, so that each is computed once.
  const rank = new Uint32Array(opened.length);
  opened
    .map((member, at) => ({ at, member, score: read(member) }))
    .sort((a, b) => a.score - b.score || a.member - b.member)
    .forEach(({ at }, place) => {
      rank[at] = place;
    });
  opened.forEach((member, at) => {
    position[member] = at;
  });
  const uncovered: number[] = [];
  const open: number[] = [];
  for (let key = 0; key < keys; key++) {
    open.length = 0;
    const start = index.starts[key];
    const end = index.starts[key + 1];
    for (let i = start; i < end; i++) {
      const at = position[index.heldBy[i]];
      // The usual case, one copy, keeps the least alone.
      if (at < 0) continue;
      if (copies > 1 || open.length === 0) open.push(at);
      else if (rank[at] < rank[open[0]]) open[0] = at;
    }
    const needed = Math.min(copies, end - start);
    if (open.length > needed) open.sort((a, b) => rank[a] - rank[b]);
    if (open.length < needed || needed === 0) uncovered.push(key);
    for (let i = 0; i < open.length && i < needed; i++) relays[open[i]].keys.push(key);
  }
  return { relays, uncovered };
}
