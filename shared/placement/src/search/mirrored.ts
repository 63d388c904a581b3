import { seededUint32 } from '@covey/graph';
import { byPopularity } from './by-popularity.ts';
import { closingChances, LoadPrices, type PlaceCapacity } from './load-prices.ts';
import { type MirrorSet, mirrorSets } from './mirrors.ts';
import type { SearchState } from './state.ts';

export interface MirroredOptions {
  /** 0 deals accounts to sets in blocks by popularity, and leaves it at that */
  sweeps: number;
  seed: number;
  onSweep?: (sweep: number) => void;
}

/** q at the first sweep; it falls to 0, where the objective is exact. */
const qFirst = 0.6;
const relaxedFirst = 1.5;
const relaxedSweeps = 0.35;
/** Share of accounts placed anew in the first and the last sweep, of 2³², and of those with hardly any reader. */
const shareFirst = 0.3 * 4294967296;
const shareLast = 0.2 * 4294967296;
const shareCheap = 0.4 * 4294967296;
const cheapReaders = 2;
/** Between places that cost readers the same, the emptier one, in relays opened; keeps copies even. */
const evenness = 0.1;
/** Readers spread over mirrors by a tie rule, so members of a set differ a little in load: what is aimed at instead. */
const limitMargin = 0.94;
const floorMargin = 1.2;

/**
 * Places every account that is not fixed on a set of mirrors: members that all hold the same. A reader opens any one of
 * a set, so a set is a single place with the capacity of all its members, readers share it evenly by the tie rule, and
 * fanout is the number of sets among which a reader's followees stand: the connectivity objective of hypergraph
 * partitioning, which is exact without covers and cheap to search. Best where readers follow so many accounts that they
 * need most popular content anyhow; then the most popular sets are open to all readers, a third of them at each mirror.
 *
 * The search takes a share of the accounts away and places them again, most-followed first, each on the set that
 * costs its readers least: q^(what the reader reads there) relays, which becomes exact as q falls to 0, times the
 * price of opening the set, plus the price of reads ({@link LoadPrices}). In a set wider than `copies` the accounts
 * take turns.
 * @returns whether the members allow sets; if not, the state is as it was
 */
export function mirroredSearch(state: SearchState, options: MirroredOptions): boolean {
  const sets = mirrorSets(state);
  if (!sets || sets.length === 0) return false;
  const order = byPopularity(state).filter(
    (account) => state.hashed[account] === 0 && state.fixed[account] === 0,
  );
  const setOf = new Int32Array(state.accounts).fill(-1);
  const room = roomFor(sets, order.length);
  dealBlocks(state, order, setOf, room);
  if (options.sweeps > 0 && sets.length > 1) search(state, options, sets, order, setOf, room);
  expand(state, sets, order, setOf);
  return true;
}

/** Room by set, stretched where all together have too little. */
function roomFor(sets: readonly MirrorSet[], accounts: number): Float64Array {
  const total = sets.reduce((sum, set) => sum + set.room, 0);
  const stretch = total < accounts ? accounts / Math.max(1, total) : 1;
  return Float64Array.from(sets, (set) => Math.ceil(set.room * stretch));
}

/** The most popular accounts to the first set, and so on, in proportion to room. */
function dealBlocks(state: SearchState, order: Uint32Array, setOf: Int32Array, room: Float64Array): void {
  let read = 0;
  while (read < order.length && state.popularity(order[read]) > 0) read++;
  const total = room.reduce((sum, places) => sum + places, 0);
  let set = 0;
  let dealt = 0;
  for (let part = 0; part < 2; part++) {
    const from = part === 0 ? 0 : read;
    const to = part === 0 ? read : order.length;
    let upTo = room[0];
    set = 0;
    dealt = 0;
    for (let i = from; i < to; i++) {
      while (set + 1 < room.length && dealt * total >= upTo * (to - from)) upTo += room[++set];
      setOf[order[i]] = set;
      dealt++;
    }
  }
}

function search(
  state: SearchState,
  options: MirroredOptions,
  sets: readonly MirrorSet[],
  order: Uint32Array,
  setOf: Int32Array,
  room: Float64Array,
): void {
  const { followerStarts, followerReaders, weights, readers, limits } = state;
  const places = sets.length;
  const next = seededUint32(options.seed);
  const counts = new Uint16Array(readers.length * places);
  const held = new Float64Array(places);
  const connections = new Float64Array(places);
  const reads = new Float64Array(places);
  const cost = new Float64Array(places);
  const chance = new Float64Array(65536);
  const taken = new Uint32Array(order.length);
  const following = new Float64Array(state.accounts);
  // In a set wider than `copies` each member lacks some accounts: from so many followees on a reader opens two of them.
  const second = sets.map(({ members }) => (members.length > state.copies ? state.copies + 1 : 0));
  const prices = new LoadPrices(
    capacityOf(state, sets),
    limits.loadLimit * limitMargin,
    limits.loadFloor * floorMargin,
  );

  const add = (account: number, place: number): void => {
    setOf[account] = place;
    held[place]++;
    reads[place] += following[account];
    for (let i = followerStarts[account]; i < followerStarts[account + 1]; i++) {
      const reader = followerReaders[i];
      const count = counts[reader * places + place]++;
      if (count === 0 || count + 1 === second[place]) connections[place] += weights[reader];
    }
  };
  const remove = (account: number): void => {
    const place = setOf[account];
    held[place]--;
    reads[place] -= following[account];
    for (let i = followerStarts[account]; i < followerStarts[account + 1]; i++) {
      const reader = followerReaders[i];
      const count = --counts[reader * places + place];
      if (count === 0 || count + 1 === second[place]) connections[place] -= weights[reader];
    }
  };
  const cheapest = (account: number): number => {
    const first = followerStarts[account];
    const end = followerStarts[account + 1];
    cost.fill(0);
    for (let i = first; i < end; i++) {
      const row = followerReaders[i] * places;
      const weight = weights[followerReaders[i]];
      for (let place = 0; place < places; place++) cost[place] += weight * chance[counts[row + place]];
    }
    for (let place = 0; place < places; place++) {
      if (second[place] === 0) continue;
      for (let i = first; i < end; i++) {
        const beyond = counts[followerReaders[i] * places + place] + 1 - second[place];
        if (beyond >= 0) cost[place] += weights[followerReaders[i]] * chance[beyond];
      }
    }
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let place = 0; place < places; place++) {
      if (held[place] >= room[place]) continue;
      const score =
        first === end
          ? held[place] / room[place]
          : cost[place] * (1 + prices.open[place]) +
            prices.read[place] * following[account] +
            (evenness * held[place]) / room[place];
      if (score < least || (score === least && place === setOf[account])) {
        least = score;
        best = place;
      }
    }
    return best;
  };

  for (const account of order) {
    following[account] = state.following(account);
    add(account, setOf[account]);
  }
  for (let sweep = 0; sweep < options.sweeps; sweep++) {
    const progress = options.sweeps > 1 ? sweep / (options.sweeps - 1) : 1;
    closingChances(qFirst * (1 - progress), chance);
    prices.relaxed = 1 + (relaxedFirst - 1) * Math.max(0, 1 - progress / relaxedSweeps);
    const share = shareFirst + (shareLast - shareFirst) * progress;
    let size = 0;
    for (const account of order) {
      if (next() < (state.popularity(account) <= cheapReaders ? shareCheap : share)) taken[size++] = account;
    }
    prices.refreshAll(connections, reads);
    for (let i = 0; i < size; i++) remove(taken[i]);
    for (let place = 0; place < places; place++) {
      prices.refresh(place, connections[place], reads[place]);
    }
    for (let i = 0; i < size; i++) {
      const place = cheapest(taken[i]);
      add(taken[i], place < 0 ? setOf[taken[i]] : place);
      prices.refresh(setOf[taken[i]], connections[setOf[taken[i]]], reads[setOf[taken[i]]]);
    }
    prices.integrate(connections, reads);
    options.onSweep?.(sweep + 1);
  }
}

/** Readers of a set spread evenly over its members: its load is that of the member of least capacity. */
function capacityOf(state: SearchState, sets: readonly MirrorSet[]): PlaceCapacity {
  const { connectionCapacity, readCapacity } = state.limits;
  const worst = (set: MirrorSet, capacity: Float64Array): number =>
    set.members.reduce((most, member) => Math.max(most, 1 / capacity[member]), 0) / set.members.length;
  const mean = (set: MirrorSet, capacity: Float64Array): number =>
    set.members.reduce((sum, member) => sum + 1 / capacity[member], 0) / set.members.length / state.k;
  return {
    connectionLoad: Float64Array.from(sets, (set) => worst(set, connectionCapacity)),
    readLoad: Float64Array.from(sets, (set) => worst(set, readCapacity)),
    connectionMean: Float64Array.from(sets, (set) => mean(set, connectionCapacity)),
    readMean: Float64Array.from(sets, (set) => mean(set, readCapacity)),
  };
}

/** Writes the rows: all members of the set, or `copies` of them in turn; members that may not hold it are left out. */
function expand(state: SearchState, sets: readonly MirrorSet[], order: Uint32Array, setOf: Int32Array): void {
  const { copies, sizes, lists, width } = state;
  for (const account of order) {
    for (let j = account * width; j < account * width + sizes[account]; j++) state.held[lists[j]]--;
    sizes[account] = 0;
  }
  const turns = new Uint32Array(sets.length);
  for (const account of order) {
    const { members } = sets[setOf[account]];
    const turn = members.length > copies ? turns[setOf[account]]++ : 0;
    for (let i = 0; i < copies; i++) {
      const member = members[(turn + i) % members.length];
      if (state.allows(account, member, sizes[account])) state.push(account, member);
    }
  }
}
