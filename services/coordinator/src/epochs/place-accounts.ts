import { detectCommunities, type FollowGraph } from '@covey/graph';
import type { TrustResult } from '@covey/jobs';
import {
  type Placement,
  type PlacementMember,
  type PreviousPlacement,
  place,
  slotOf,
  trustedGraph,
  trustedPrevious,
  trustOf,
  untrustedPlaced,
} from '@covey/placement';
import type { EpochInputs } from './inputs.ts';

export interface PlacedAccounts {
  /** Of all accounts of the inputs. */
  placement: Placement;
  /** What communities were found in, and the accounts of the inputs that it is made of; all where left out. */
  searched: { graph: FollowGraph; communityOf: Uint32Array; accounts?: Uint32Array };
  communities: number;
  modularity: number;
  trust: TrustResult;
}

export type Timed = <T>(phase: string, work: () => T) => T;

/** Rank by trust, detect, place. Pure. @throws InfeasiblePlacementError, InvalidProblemError */
export function placeAccounts(
  inputs: EpochInputs,
  members: readonly PlacementMember[],
  before: PreviousPlacement | undefined,
  timed: Timed,
  onPhase: (phase: string, done: number, total: number) => void,
): PlacedAccounts {
  const { graph, options, pins, pubkeys } = inputs;
  const { copies, extraCopies, hubs, seed, effort } = options;
  const seeds = accountsOf(pubkeys, options.trustSeeds);
  const trust = timed('trust', () => trustOf(graph, seeds, options.trustAccounts));
  const keyOf = (account: number): Uint8Array => pubkeys.subarray(account * 32, account * 32 + 32);
  const slot = (account: number): number => slotOf(keyOf(account));
  const trusted =
    trust.basis === 'seeds' ? trustedGraph(graph, trust, slot, pins, members, copies) : undefined;
  const found = timed('detect', () =>
    detectCommunities(trusted?.graph ?? graph, {
      engine: 'auto',
      seed,
      ...(trusted && { weights: trusted.followWeights }),
    }),
  );
  const common = { members, copies, extraCopies, hubs, seed, effort, allowShortfall: true };
  const report = {
    basis: trust.basis,
    seeds: seeds.length,
    unknownSeeds: options.trustSeeds.length - seeds.length,
    readers: trust.readers,
    placed: trust.admittedCount,
    pinsRefused: trusted?.pinsRefused ?? 0,
  };
  const { communityOf } = found;
  const shared = { communities: found.count, modularity: found.modularity, trust: report };
  if (!trusted) {
    const placement = timed('place', () =>
      place({ graph, communityOf, pins, ...common, ...(before && { previous: before }) }, onPhase),
    );
    return { placement, searched: { graph, communityOf }, ...shared };
  }
  const placement = timed('place', () => {
    const previous = before && trustedPrevious(before, trusted);
    const part = place({ ...trusted, communityOf, ...common, ...(previous && { previous }) }, onPhase);
    return untrustedPlaced(part, trusted, graph.nodes, slot, members, copies);
  });
  const { accounts } = trusted;
  return { placement, searched: { graph: trusted.graph, communityOf, accounts }, ...shared };
}

/** Positions of keys (hex) among `pubkeys` (32 bytes each, ascending); keys that are not there are left out. */
export function accountsOf(pubkeys: Uint8Array, keys: readonly string[]): number[] {
  const all = Buffer.from(pubkeys.buffer, pubkeys.byteOffset, pubkeys.byteLength);
  return keys.flatMap((hex) => {
    const key = Buffer.from(hex, 'hex');
    let from = 0;
    let to = all.length / 32;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (all.compare(key, 0, 32, middle * 32, middle * 32 + 32) < 0) from = middle + 1;
      else to = middle;
    }
    return from * 32 < all.length && all.compare(key, 0, 32, from * 32, from * 32 + 32) === 0 ? [from] : [];
  });
}
