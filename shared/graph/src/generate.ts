import { type FollowGraph, GRAPH_SIZE_MAX } from './csr.ts';
import { seededUint32 } from './rng.ts';

export interface GenerateOptions {
  accounts: number;
  /** exactly so many, without self-loops and duplicates */
  follows: number;
  seed: number;
  /** arrays over SharedArrayBuffer, for threads */
  shared?: boolean;
}

export interface GeneratedGraph {
  graph: FollowGraph;
  /** the planted community of each account, 0 … communities − 1 */
  communityOf: Uint32Array;
  communities: number;
}

/** A size that no graph can have; the message says which would be possible. */
export class GenerateError extends RangeError {
  override name = 'GenerateError';
}

/** Community sizes follow a power law with exponent 2 from here up to a hundredth of the accounts, 20,000 at most. */
const sizeMin = 20;
const sizeMaxShare = 100;
const sizeMaxMost = 20_000;
/** Regions are runs of communities with at least this part of the accounts. */
const regionShare = 50;
/** Of the follows: near by in the community (friends: often mutual, with friends in common), those popular in the
 * community, those popular in the region; the others go to those popular everywhere. In 2⁻³². */
const near = 0.3 * 4294967296;
const inCommunity = 0.6 * 4294967296;
const inRegion = 0.75 * 4294967296;
/** Out-degrees are lognormal with this σ: mean / median 1.45, as in the follow graph that metrics were made with. */
const sigma = 0.86;
const degreeMost = 20_000;
/** Draws for one follow before a row is filled with whoever is not in it yet. */
const triesMax = 12;

/**
 * A follow graph with planted communities, hubs, and degrees as social networks have them, written row by row into
 * compressed sparse rows: 4 bytes a follow and 20 an account, nothing else. Numbers of accounts say nothing about
 * their communities. The same options give the same arrays on every engine: + − × ÷ alone decide.
 *
 * Where a follow goes: with popularity ∝ rank^(−1/2) in the follower's community, rank^(−2/3) in its region, rank^(−3/4) among all
 * accounts, or to somebody near in a ring through the community, which makes follows mutual and closes triangles
 * (Watts and Strogatz 1998). Follows past what a community holds go elsewhere.
 * @throws GenerateError for sizes that are no counts, exceed 2³¹ − 1, or ask for more follows than pairs
 */
export function generateFollows(options: GenerateOptions): GeneratedGraph {
  const { accounts, follows } = options;
  checkSizes(accounts, follows);
  const uint32 = (length: number): Uint32Array =>
    options.shared ? new Uint32Array(new SharedArrayBuffer(length * 4)) : new Uint32Array(length);
  const next = seededUint32(options.seed);
  const idOf = permutation(accounts, next);
  const { starts, communityAt, regionStarts, regionOf } = layOut(accounts, next);
  const offsets = uint32(accounts + 1);
  drawDegrees(offsets, follows, next);
  const targets = uint32(follows);
  const stride = coprimeStride(accounts);
  const shift = below(next, Math.max(1, accounts));
  const seen = new Uint32Array(accounts);
  const positionOf = new Uint32Array(accounts);
  for (let position = 0; position < accounts; position++) positionOf[idOf[position]] = position;

  for (let account = 0; account < accounts; account++) {
    const position = positionOf[account];
    const community = communityAt[position];
    const first = starts[community];
    const size = starts[community + 1] - first;
    const regionFirst = regionStarts[regionOf[community]];
    const regionSize = regionStarts[regionOf[community] + 1] - regionFirst;
    const from = offsets[account];
    const to = offsets[account + 1];
    seen[account] = account + 1;
    for (let at = from; at < to; at++) {
      let followee = account;
      for (let tries = 0; tries < triesMax && seen[followee] === account + 1; tries++) {
        // After some tries the community is taken to be followed already.
        const kind = tries < triesMax / 2 ? next() : 4294967295;
        const u = next() / 4294967296;
        let other: number;
        if (kind < near) {
          const reach = Math.max(1, size >>> 1);
          const distance = 1 + Math.floor(u * u * u * u * reach);
          other =
            first + ((position - first + ((kind & 1) === 0 ? distance : size - (distance % size))) % size);
        } else if (kind < inCommunity) other = first + Math.floor(u * u * size);
        else if (kind < inRegion) other = regionFirst + Math.floor(u * u * u * regionSize);
        else other = (Math.floor(u * u * u * u * accounts) * stride + shift) % accounts;
        followee = idOf[other];
      }
      while (seen[followee] === account + 1) followee = followee + 1 === accounts ? 0 : followee + 1;
      seen[followee] = account + 1;
      targets[at] = followee;
    }
    sortRow(targets, from, to);
  }
  for (let position = 0; position < accounts; position++) seen[idOf[position]] = communityAt[position];
  const graph = { nodes: accounts, edges: follows, offsets, targets };
  return { graph, communityOf: seen, communities: starts.length - 1 };
}

function checkSizes(accounts: number, follows: number): void {
  for (const [name, value] of [
    ['accounts', accounts],
    ['follows', follows],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value > GRAPH_SIZE_MAX) {
      throw new GenerateError(`${value} ${name}: a whole number from 0 to ${GRAPH_SIZE_MAX} is possible`);
    }
  }
  const most = accounts * Math.min(degreeMost, Math.floor(accounts / 2));
  if (follows > most) {
    throw new GenerateError(`${accounts} accounts can have ${most} follows at most here, not ${follows}`);
  }
}

/** Communities as runs of positions, and regions as runs of communities. */
function layOut(accounts: number, next: () => number) {
  const sizeMax = Math.max(2 * sizeMin, Math.min(sizeMaxMost, Math.floor(accounts / sizeMaxShare)));
  const communityAt = new Uint32Array(accounts);
  const starts = [0];
  const regionStarts = [0];
  const regionOf: number[] = [];
  let end = 0;
  while (end < accounts) {
    const u = next() / 4294967296;
    let size = Math.floor(sizeMin / (1 - u * (1 - sizeMin / sizeMax)));
    // A rest too small for a community joins the last one.
    if (accounts - end - size < sizeMin) size = accounts - end;
    communityAt.fill(starts.length - 1, end, end + size);
    end += size;
    starts.push(end);
    regionOf.push(regionStarts.length - 1);
    if (end - regionStarts[regionStarts.length - 1] >= accounts / regionShare || end === accounts) {
      regionStarts.push(end);
    }
  }
  return { communityAt, starts, regionStarts, regionOf };
}

/** Lognormal degrees that add up to `follows`, as offsets. */
function drawDegrees(offsets: Uint32Array, follows: number, next: () => number): void {
  const accounts = offsets.length - 1;
  const raw = new Float32Array(accounts);
  let sum = 0;
  for (let account = 0; account < accounts; account++) {
    // The sum of twelve uniform numbers less six is normal to three digits (Irwin–Hall).
    let normal = -6;
    for (let i = 0; i < 12; i++) normal += next() / 4294967296;
    raw[account] = exponential(sigma * normal);
    sum += raw[account];
  }
  const most = Math.min(degreeMost, Math.floor(accounts / 2));
  let carried = 0;
  let left = follows;
  for (let account = 0; account < accounts; account++) {
    carried += (raw[account] * follows) / sum;
    const degree = Math.min(Math.floor(carried), most, left);
    carried -= degree;
    left -= degree;
    offsets[account + 1] = degree;
  }
  for (let account = 0; left > 0; account++) {
    const room = Math.min(left, most - offsets[account + 1]);
    offsets[account + 1] += room;
    left -= room;
  }
  for (let account = 0; account < accounts; account++) offsets[account + 1] += offsets[account];
}

/** e^x for |x| < 8, from its series at x / 64: no engine's approximation of exp enters. */
function exponential(x: number): number {
  const small = x / 64;
  let term = 1;
  let sum = 1;
  for (let i = 1; i < 10; i++) {
    term *= small / i;
    sum += term;
  }
  for (let i = 0; i < 6; i++) sum *= sum;
  return sum;
}

/** Sorts a short row by insertion, a long one by the engine. */
function sortRow(targets: Uint32Array, from: number, to: number): void {
  if (to - from > 48) {
    targets.subarray(from, to).sort();
    return;
  }
  for (let i = from + 1; i < to; i++) {
    const value = targets[i];
    let j = i - 1;
    while (j >= from && targets[j] > value) {
      targets[j + 1] = targets[j];
      j--;
    }
    targets[j + 1] = value;
  }
}

/** A stride that visits every account once: popularity everywhere has nothing to do with communities. */
function coprimeStride(accounts: number): number {
  let stride = Math.max(1, Math.floor(accounts * 0.6180339887));
  while (greatestCommonDivisor(stride, accounts) !== 1) stride++;
  return stride;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function below(next: () => number, count: number): number {
  return Math.floor((next() / 4294967296) * count);
}

function permutation(count: number, next: () => number): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const j = below(next, i + 1);
    order[i] = order[j];
    order[j] = i;
  }
  return order;
}
