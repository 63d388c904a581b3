import type { FollowGraph } from '@covey/graph';
import { relativeLoads } from './capacity.ts';
import { measureGreedy } from './greedy-reader.ts';
import { noGroup, type Placement, type PlacementMember } from './problem.ts';

/** Entries of the lists of an explanation. */
export const EXPLAINED_MEMBERS_MAX = 8;
export const EXPLAINED_ALTERNATIVES_MAX = 3;

/** Why an account's copies stand where they do, by what its readers pay. Members are indexes; counts are of readers looked at. */
export interface AccountExplanation {
  /** readers that follow it */
  readers: number;
  /** of them, how many have each member open, most first: the holders, and the largest others */
  open: { member: number; readers: number }[];
  /** its holders in order; `needed`: its readers for whom this is the only open copy */
  holders: { member: number; readers: number; needed: number }[];
  /**
   * the best places for one copy elsewhere, cheapest first: by how many relays more its readers open in all (less is a
   * negative number), everything else staying
   */
  alternatives: { from: number; to: number; relays: number }[];
}

/** A member's load in a placement, against the mean for its declared capacity. */
export interface ExplainedLoad {
  connections: number;
  reads: number;
}

/**
 * Explains a placement account by account. It holds every reader's greedy cover (2 to 6 bytes a relay opened) and who of
 * the readers follows whom (4 bytes a follow); an explanation then looks at the account's readers alone.
 */
export class PlacementExplainer {
  readonly fanout: number;
  readonly readers: Uint32Array;
  readonly loads: ExplainedLoad[];
  readonly #placement: Pick<Placement, 'groupOf' | 'groups'>;
  readonly #k: number;
  /** open members of each reader, and of how many followees each is the only open holder */
  readonly #starts: Uint32Array;
  #open = new Uint16Array(1 << 12);
  #only = new Uint32Array(1 << 12);
  /** readers (by position) that follow each account */
  readonly #followedFrom: Uint32Array;
  readonly #followedBy: Uint32Array;

  /** @param readers whose covers count, as `sampleReaders` gives them */
  constructor(
    graph: FollowGraph,
    placement: Pick<Placement, 'groupOf' | 'groups'>,
    members: readonly PlacementMember[],
    readers: Uint32Array,
  ) {
    this.readers = readers;
    this.#placement = placement;
    this.#k = members.length;
    this.#starts = new Uint32Array(readers.length + 1);
    const rows = placement.groups.map((group) => group.members);
    const { groupOf } = placement;
    const only = new Uint32Array(this.#k);
    let size = 0;
    const { fanout, connections, reads } = measureGreedy(
      graph,
      readers,
      groupOf,
      rows,
      this.#k,
      1,
      undefined,
      (r, isOpen) => {
        only.fill(0);
        for (let i = graph.offsets[readers[r]]; i < graph.offsets[readers[r] + 1]; i++) {
          const group = groupOf[graph.targets[i]];
          if (group === noGroup) continue;
          const holder = onlyOpen(rows[group], isOpen);
          if (holder >= 0) only[holder]++;
        }
        for (let member = 0; member < isOpen.length; member++) {
          if (isOpen[member] === 0) continue;
          if (size === this.#open.length) this.#grow();
          this.#open[size] = member;
          this.#only[size++] = only[member];
        }
        this.#starts[r + 1] = size;
      },
    );
    this.fanout = fanout;
    const relative = (loads: Float64Array, what: 'connections' | 'reads'): Float64Array => {
      const each = relativeLoads(loads, members, what);
      const mean = each.reduce((sum, load) => sum + load, 0) / each.length;
      return mean > 0 ? each.map((load) => load / mean) : each;
    };
    const [opened, read] = [relative(connections, 'connections'), relative(reads, 'reads')];
    this.loads = members.map((_, i) => ({ connections: opened[i], reads: read[i] }));
    [this.#followedFrom, this.#followedBy] = followersAmong(graph, readers);
  }

  explain(account: number): AccountExplanation {
    const group = this.#placement.groupOf[account];
    const held = group === noGroup ? [] : this.#placement.groups[group].members;
    const k = this.#k;
    const openCount = new Uint32Array(k);
    const needed = new Uint32Array(k);
    /** by holder and member: relays more if that copy stood there */
    const more = new Int32Array(held.length * k);
    const isOpen = new Uint8Array(k);
    const from = this.#followedFrom[account];
    const to = this.#followedFrom[account + 1];
    for (let i = from; i < to; i++) {
      const reader = this.#followedBy[i];
      const start = this.#starts[reader];
      const end = this.#starts[reader + 1];
      for (let j = start; j < end; j++) {
        isOpen[this.#open[j]] = 1;
        openCount[this.#open[j]]++;
      }
      const holder = onlyOpen(held, isOpen);
      if (holder >= 0) {
        needed[holder]++;
        let alone = false;
        for (let j = start; j < end; j++) if (this.#open[j] === holder) alone = this.#only[j] === 1;
        const row = held.indexOf(holder) * k;
        for (let member = 0; member < k; member++) {
          // The copy goes where the reader is anyhow, or the reader has to go where the copy is.
          if (isOpen[member] === 1) more[row + member] -= alone ? 1 : 0;
          else more[row + member] += alone ? 0 : 1;
        }
      }
      for (let j = start; j < end; j++) isOpen[this.#open[j]] = 0;
    }
    return {
      readers: to - from,
      open: this.#mostOpen(openCount, held),
      holders: held.map((member) => ({ member, readers: openCount[member], needed: needed[member] })),
      alternatives: bestAlternatives(held, more, k),
    };
  }

  /** Relays more that an account's readers would open if its copy at `from` stood at `to`. */
  costOf(account: number, from: number, to: number): number {
    const group = this.#placement.groupOf[account];
    const held = group === noGroup ? [] : this.#placement.groups[group].members;
    let more = 0;
    const isOpen = new Uint8Array(this.#k);
    for (let i = this.#followedFrom[account]; i < this.#followedFrom[account + 1]; i++) {
      const start = this.#starts[this.#followedBy[i]];
      const end = this.#starts[this.#followedBy[i] + 1];
      for (let j = start; j < end; j++) isOpen[this.#open[j]] = 1;
      if (onlyOpen(held, isOpen) === from) {
        let alone = false;
        for (let j = start; j < end; j++) if (this.#open[j] === from) alone = this.#only[j] === 1;
        if (isOpen[to] === 1) more -= alone ? 1 : 0;
        else more += alone ? 0 : 1;
      }
      for (let j = start; j < end; j++) isOpen[this.#open[j]] = 0;
    }
    return more;
  }

  #mostOpen(counts: Uint32Array, held: readonly number[]): { member: number; readers: number }[] {
    const order = [...counts.keys()].filter((member) => counts[member] > 0 || held.includes(member));
    order.sort((a, b) => counts[b] - counts[a] || a - b);
    const others = order.filter((member) => !held.includes(member)).slice(0, EXPLAINED_MEMBERS_MAX);
    return order
      .filter((member) => held.includes(member) || others.includes(member))
      .map((member) => ({ member, readers: counts[member] }));
  }

  #grow(): void {
    const open = new Uint16Array(this.#open.length * 2);
    open.set(this.#open);
    this.#open = open;
    const only = new Uint32Array(this.#only.length * 2);
    only.set(this.#only);
    this.#only = only;
  }
}

/** The one open member of a row, or −1 when none is or several are. */
function onlyOpen(row: readonly number[], isOpen: Uint8Array): number {
  let holder = -1;
  for (const member of row) {
    if (isOpen[member] === 0) continue;
    if (holder >= 0) return -1;
    holder = member;
  }
  return holder;
}

function bestAlternatives(
  held: readonly number[],
  more: Int32Array,
  k: number,
): AccountExplanation['alternatives'] {
  const best: AccountExplanation['alternatives'] = [];
  for (let to = 0; to < k; to++) {
    if (held.includes(to)) continue;
    let from = -1;
    let relays = 0;
    held.forEach((member, i) => {
      if (from >= 0 && more[i * k + to] >= relays) return;
      from = member;
      relays = more[i * k + to];
    });
    if (from >= 0) best.push({ from, to, relays });
  }
  return best.sort((a, b) => a.relays - b.relays || a.to - b.to).slice(0, EXPLAINED_ALTERNATIVES_MAX);
}

/** Positions of the readers that follow each account, as rows: offsets, and the rows. */
function followersAmong(graph: FollowGraph, readers: Uint32Array): [Uint32Array, Uint32Array] {
  const offsets = new Uint32Array(graph.nodes + 1);
  for (const reader of readers) {
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) offsets[graph.targets[i] + 1]++;
  }
  for (let account = 0; account < graph.nodes; account++) offsets[account + 1] += offsets[account];
  const rows = new Uint32Array(offsets[graph.nodes]);
  const cursor = offsets.slice();
  readers.forEach((reader, r) => {
    for (let i = graph.offsets[reader]; i < graph.offsets[reader + 1]; i++) {
      rows[cursor[graph.targets[i]]++] = r;
    }
  });
  return [offsets, rows];
}
