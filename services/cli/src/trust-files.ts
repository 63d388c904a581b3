import type { FollowGraph } from '@covey/graph';
import {
  type Placement,
  type PlacementMember,
  type PlacementProblem,
  type PreviousPlacement,
  slotOf,
  trustedGraph,
  trustedPrevious,
  trustOf,
  untrustedPlaced,
} from '@covey/placement';
import { InputError, type NamedGraph, numberNames, readLines } from './graph-files.ts';

export interface TrustFlags {
  seeds?: string;
  trustAccounts: number;
  copies: number;
}

/** A graph as trust leaves it: what to place, and how to get the whole placement back. */
export interface TrustedFiles {
  graph: FollowGraph;
  /** of each follow of `graph`, where they differ */
  followWeights?: Uint8Array;
  problem: Pick<PlacementProblem, 'pins' | 'admitted' | 'readerWeights' | 'slots'>;
  previous: (before: PreviousPlacement) => PreviousPlacement;
  placed: (placement: Placement) => Placement;
  report: { basis: 'seeds' | 'equal'; seeds: number; unknownSeeds: number; readers: number; placed: number };
}

/**
 * Trust from the accounts in `--seeds`; without it everybody is equal and the graph stays as it is.
 * @throws InputError when no seed is in the graph
 */
export function trustBy(
  flags: TrustFlags,
  graph: NamedGraph,
  pins: ReadonlyMap<number, readonly number[]>,
  members: readonly PlacementMember[],
): TrustedFiles {
  const everybody = { readers: graph.nodes, placed: graph.nodes };
  if (flags.seeds === undefined) {
    return {
      graph,
      problem: pins.size > 0 ? { pins } : {},
      previous: (before) => before,
      placed: (placement) => placement,
      report: { basis: 'equal', seeds: 0, unknownSeeds: 0, ...everybody },
    };
  }
  const numbers = numberNames(graph.names);
  const names = [...new Set(readLines(flags.seeds))];
  const seeds = names.flatMap((name) => numbers.get(name) ?? []);
  if (seeds.length === 0) {
    throw new InputError(`${flags.seeds}: none of its ${names.length} accounts is in the graph`);
  }
  const trust = trustOf(graph, seeds, flags.trustAccounts);
  const slot = (account: number): number => slotOf(keyOf(graph.names[account]!));
  const trusted = trustedGraph(graph, trust, slot, pins, members, flags.copies);
  const { admitted, readerWeights, slots } = trusted;
  return {
    graph: trusted.graph,
    followWeights: trusted.followWeights,
    problem: { admitted, readerWeights, slots, pins: trusted.pins },
    previous: (before) => trustedPrevious(before, trusted),
    placed: (placement) => untrustedPlaced(placement, trusted, graph.nodes, slot, members, flags.copies),
    report: {
      basis: 'seeds',
      seeds: seeds.length,
      unknownSeeds: names.length - seeds.length,
      readers: trust.readers,
      placed: trust.admittedCount,
    },
  };
}

/** A public key in hex is its bytes, as in a table; any other name is its UTF-8. */
function keyOf(name: string): Uint8Array {
  return /^[0-9a-f]{64}$/.test(name) ? Buffer.from(name, 'hex') : Buffer.from(name, 'utf8');
}
