import type { FollowGraph } from '@covey/graph';

/** What the search may not break, and what it aims at. Arrays by member. */
export interface SearchLimits {
  /** most copies a member may hold; 0 for members that get nothing */
  caps: Float64Array;
  connectionCapacity: Float64Array;
  readCapacity: Float64Array;
  /** max over mean allowed for connections and reads, relative to capacity */
  loadLimit: number;
  /** the share of the mean that the least loaded member should reach; a wish, weighed against fanout */
  loadFloor: number;
  /** failure domain of each member */
  domainOf: Int32Array;
  /** write copies must differ in domain */
  strictDomains: boolean;
  /** members that an account may not be given; most accounts have no entry */
  denied: ReadonlyMap<number, ReadonlySet<number>>;
  /** read copies that all accounts together may have */
  extraBudget: number;
}

/** Readers below this many followees are not part of the objective (metrics.md). */
const followeesMin = 5;
/** Most copies of one account. */
const widthMax = 16;
const starts = 2654435761 | 0;

/**
 * The placement under search and what readers do with it: for every reader the greedy cover of metrics.md, kept as
 * counts of followees read by member and as a bit set of open members.
 *
 * An account's copies are a row of `width` members of which the first `sizes[account]` count; its first `copies` are
 * the write copies, and the first `fixed[account]` are pinned.
 */
export class SearchState {
  readonly graph: FollowGraph;
  readonly accounts: number;
  /** number of members */
  readonly k: number;
  readonly copies: number;
  readonly width: number;
  readonly limits: SearchLimits;
  readonly lists: Uint16Array;
  readonly sizes: Uint8Array;
  readonly fixed: Uint8Array;
  /** 1 for accounts whose row stands outside the search and counts in no member's `held` */
  readonly hashed: Uint8Array;
  /** copies held by each member */
  readonly held: Float64Array;

  /** accounts that read, ascending; "reader" below means an index into this */
  readonly readers: Uint32Array;
  /** what each reader counts, and all together */
  readonly weights: Uint16Array;
  readonly totalWeight: number;
  /** readers that follow each account, in compressed rows */
  readonly followerStarts: Uint32Array;
  readonly followerReaders: Uint32Array;

  /** readers × k: followees read from each member */
  readonly counts: Uint16Array;
  /** readers × words: members open */
  readonly open: Int32Array;
  readonly words: number;
  /** readers that open each member, and (reader, followee) pairs read from it, weighted */
  readonly connections: Float64Array;
  readonly reads: Float64Array;
  /** members opened, over all readers, weighted */
  opened = 0;

  readonly #gain: Int32Array;
  readonly #pending: Uint32Array;
  /** bit sets of the members that hold each pending followee */
  readonly #holders: Int32Array;

  /** @param weightOf what each account counts as a reader; 1 each by default, and 0 is no reader */
  constructor(
    graph: FollowGraph,
    k: number,
    copies: number,
    limits: SearchLimits,
    weightOf?: (account: number) => number,
  ) {
    this.graph = graph;
    this.accounts = graph.nodes;
    this.k = k;
    this.copies = copies;
    this.limits = limits;
    this.width = limits.extraBudget > 0 ? Math.max(copies, Math.min(k, widthMax)) : copies;
    this.words = (k + 31) >>> 5;
    this.lists = new Uint16Array(this.accounts * this.width);
    this.sizes = new Uint8Array(this.accounts);
    this.fixed = new Uint8Array(this.accounts);
    this.hashed = new Uint8Array(this.accounts);
    this.held = new Float64Array(k);
    let count = 0;
    let degreeMax = 0;
    for (let account = 0; account < this.accounts; account++) {
      const degree = graph.offsets[account + 1] - graph.offsets[account];
      if (degree < followeesMin || weightOf?.(account) === 0) continue;
      count++;
      if (degree > degreeMax) degreeMax = degree;
    }
    this.readers = new Uint32Array(count);
    this.weights = new Uint16Array(count);
    let totalWeight = 0;
    this.followerStarts = new Uint32Array(this.accounts + 1);
    let reader = 0;
    for (let account = 0; account < this.accounts; account++) {
      const from = graph.offsets[account];
      const to = graph.offsets[account + 1];
      const weight = weightOf ? weightOf(account) : 1;
      if (to - from < followeesMin || weight === 0) continue;
      totalWeight += weight;
      this.weights[reader] = weight;
      this.readers[reader++] = account;
      for (let i = from; i < to; i++) this.followerStarts[graph.targets[i] + 1]++;
    }
    for (let account = 0; account < this.accounts; account++) {
      this.followerStarts[account + 1] += this.followerStarts[account];
    }
    this.followerReaders = new Uint32Array(this.followerStarts[this.accounts]);
    const cursor = this.followerStarts.slice();
    for (reader = 0; reader < count; reader++) {
      const account = this.readers[reader];
      for (let i = graph.offsets[account]; i < graph.offsets[account + 1]; i++) {
        this.followerReaders[cursor[graph.targets[i]]++] = reader;
      }
    }
    this.totalWeight = totalWeight;
    this.counts = new Uint16Array(count * k);
    this.open = new Int32Array(count * this.words);
    this.connections = new Float64Array(k);
    this.reads = new Float64Array(k);
    this.#gain = new Int32Array(k);
    this.#pending = new Uint32Array(degreeMax);
    this.#holders = new Int32Array(degreeMax * this.words);
  }

  /** Readers that follow an account. */
  popularity(account: number): number {
    return this.followerStarts[account + 1] - this.followerStarts[account];
  }

  /** What the readers that follow an account count together. */
  following(account: number): number {
    let sum = 0;
    for (let i = this.followerStarts[account]; i < this.followerStarts[account + 1]; i++) {
      sum += this.weights[this.followerReaders[i]];
    }
    return sum;
  }

  holds(account: number, member: number): boolean {
    const start = account * this.width;
    for (let i = start; i < start + this.sizes[account]; i++) if (this.lists[i] === member) return true;
    return false;
  }

  /** Adds a copy at the end of an account's row. */
  push(account: number, member: number): void {
    this.lists[account * this.width + this.sizes[account]++] = member;
    if (this.hashed[account] === 0) this.held[member]++;
  }

  /** Rules other than caps: not denied, and a write copy in a domain of its own. `position` is the place it takes. */
  allows(account: number, member: number, position: number): boolean {
    const { limits } = this;
    if (limits.denied.size > 0 && limits.denied.get(account)?.has(member)) return false;
    if (!limits.strictDomains || position >= this.copies) return true;
    const start = account * this.width;
    const end = start + Math.min(this.copies, this.sizes[account]);
    for (let i = start; i < end; i++) {
      if (i !== start + position && limits.domainOf[this.lists[i]] === limits.domainOf[member]) return false;
    }
    return true;
  }

  /** Recomputes every cover and the loads. */
  coverAll(): void {
    this.connections.fill(0);
    this.reads.fill(0);
    this.opened = 0;
    for (let reader = 0; reader < this.readers.length; reader++) {
      const weight = this.weights[reader];
      this.opened += weight * this.cover(reader);
      const row = reader * this.k;
      for (let member = 0; member < this.k; member++) {
        const count = this.counts[row + member];
        if (count === 0) continue;
        this.connections[member] += weight;
        this.reads[member] += weight * count;
      }
    }
  }

  /** Recomputes one reader's cover (not the loads); returns how many members it opens. */
  cover(reader: number): number {
    const { graph, k, width, lists, sizes, counts, open, words } = this;
    const gain = this.#gain;
    const pending = this.#pending;
    const holders = this.#holders;
    const account = this.readers[reader];
    const from = graph.offsets[account];
    let left = graph.offsets[account + 1] - from;
    const row = reader * k;
    for (let member = 0; member < k; member++) gain[member] = counts[row + member] = 0;
    for (let word = 0; word < words; word++) open[reader * words + word] = 0;
    for (let i = 0, at = 0; i < left; i++, at += words) {
      const followee = graph.targets[from + i];
      pending[i] = followee;
      for (let word = 0; word < words; word++) holders[at + word] = 0;
      const start = followee * width;
      const end = start + sizes[followee];
      for (let j = start; j < end; j++) {
        const member = lists[j];
        gain[member]++;
        holders[at + (member >>> 5)] |= 1 << (member & 31);
      }
    }
    const first = (Math.imul(account, starts) >>> 0) % k;
    let opened = 0;
    while (left > 0) {
      let best = first;
      let most = gain[first];
      for (let member = first + 1; member < k; member++) {
        if (gain[member] > most) {
          most = gain[member];
          best = member;
        }
      }
      for (let member = 0; member < first; member++) {
        if (gain[member] > most) {
          most = gain[member];
          best = member;
        }
      }
      if (most === 0) break;
      counts[row + best] = most;
      open[reader * words + (best >>> 5)] |= 1 << (best & 31);
      opened++;
      const bit = 1 << (best & 31);
      let write = 0;
      let to = 0;
      for (let i = 0, at = best >>> 5, row = 0; i < left; i++, at += words, row += words) {
        const followee = pending[i];
        if ((holders[at] & bit) !== 0) {
          const start = followee * width;
          const end = start + sizes[followee];
          for (let j = start; j < end; j++) gain[lists[j]]--;
        } else {
          pending[write++] = followee;
          for (let word = 0; word < words; word++) holders[to++] = holders[row + word];
        }
      }
      left = write;
    }
    return opened;
  }

  /**
   * Loads relative to capacity against the limit: 1 is exactly at it. The larger of connections and reads for each
   * member, into `out`; returns the largest.
   */
  overloads(out: Float64Array): number {
    const { limits, k } = this;
    const connectionMean = meanLoad(this.connections, limits.connectionCapacity) * limits.loadLimit;
    const readMean = meanLoad(this.reads, limits.readCapacity) * limits.loadLimit;
    let worst = 0;
    for (let member = 0; member < k; member++) {
      const byConnections =
        connectionMean > 0
          ? this.connections[member] / limits.connectionCapacity[member] / connectionMean
          : 0;
      const byReads = readMean > 0 ? this.reads[member] / limits.readCapacity[member] / readMean : 0;
      out[member] = limits.caps[member] > 0 ? Math.max(byConnections, byReads) : 0;
      if (out[member] > worst) worst = out[member];
    }
    return worst;
  }

  /** How far the least loaded member's connections lie below the floor: 0 at it or above, 1 for an idle member. */
  lack(): number {
    const { limits, k, connections } = this;
    const floor = meanLoad(connections, limits.connectionCapacity) * limits.loadFloor;
    let least = floor;
    for (let member = 0; member < k; member++) {
      if (limits.caps[member] > 0)
        least = Math.min(least, connections[member] / limits.connectionCapacity[member]);
    }
    return floor > 0 ? 1 - least / floor : 0;
  }

  /** Copies of the placement alone; covers have to be recomputed after restoring. */
  snapshot(): { lists: Uint16Array; sizes: Uint8Array } {
    return { lists: this.lists.slice(), sizes: this.sizes.slice() };
  }

  restore(saved: { lists: Uint16Array; sizes: Uint8Array }): void {
    this.lists.set(saved.lists);
    this.sizes.set(saved.sizes);
    this.recount();
  }

  /** Recomputes `held` from the rows. */
  recount(): void {
    this.held.fill(0);
    for (let account = 0; account < this.accounts; account++) {
      if (this.hashed[account] === 1) continue;
      const start = account * this.width;
      for (let i = start; i < start + this.sizes[account]; i++) this.held[this.lists[i]]++;
    }
  }

  /** Read copies that all accounts have now. */
  extraCopies(): number {
    let extra = 0;
    for (let account = 0; account < this.accounts; account++) {
      if (this.sizes[account] > this.copies) extra += this.sizes[account] - this.copies;
    }
    return extra;
  }
}

/** Mean over members of load / capacity. */
export function meanLoad(loads: Float64Array, capacity: Float64Array): number {
  let sum = 0;
  for (let member = 0; member < loads.length; member++) sum += loads[member] / capacity[member];
  return sum / loads.length;
}
