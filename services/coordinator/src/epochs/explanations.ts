import { gzipSync } from 'node:zlib';
import { followerCounts } from '@covey/graph';
import type { AccountExplanation } from '@covey/placement';
import type { ComputedEpoch } from './compute-epoch.ts';
import type { EpochInputs } from './inputs.ts';

/** Accounts that are explained; beyond, those that none of the readers looked at follows are left out, then the rest. */
const EXPLAINED_MAX = 1_000_000;
/** Accounts of one row in PostgreSQL. */
const ACCOUNTS_A_CHUNK = 256;

/** Why an account stands where it does, as it is stored; members are places in the report's list of members. */
export interface StoredExplanation extends AccountExplanation {
  pubkey: string;
  community: number;
  /** In the whole graph. */
  followers: number;
  /** Members that its own relay list names, in its order. */
  pinned?: readonly number[];
}

export interface ExplanationChunk {
  /** The least public key in it, 32 bytes. */
  firstKey: Uint8Array;
  /** JSON list of StoredExplanation, ascending by key, gzip. */
  accounts: Uint8Array;
}

/** Explanations of the accounts that the search placed, in the order of their keys, a chunk at a time. */
export function* explanationChunks(
  inputs: EpochInputs,
  { searched, placement, explainer }: Pick<ComputedEpoch, 'searched' | 'placement' | 'explainer'>,
): Generator<ExplanationChunk> {
  const { pubkeys, pins } = inputs;
  const { graph, communityOf, accounts } = searched;
  const followers = followerCounts(inputs.graph);
  const followed = graph.nodes > EXPLAINED_MAX ? followerCounts(graph) : undefined;
  let explained = 0;
  let chunk: string[] = [];
  let first = 0;
  const whole = (): ExplanationChunk => ({
    firstKey: pubkeys.slice(first * 32, first * 32 + 32),
    accounts: gzipSync(`[${chunk.join(',')}]`, { level: 4 }),
  });
  for (let node = 0; node < graph.nodes && explained < EXPLAINED_MAX; node++) {
    const account = accounts ? accounts[node]! : node;
    const group = placement.groups[placement.groupOf[account]!];
    if (!group || group.hashed || followed?.[node] === 0) continue;
    if (chunk.length === 0) first = account;
    const named = pins.get(account);
    const stored: StoredExplanation = {
      pubkey: Buffer.from(pubkeys.subarray(account * 32, account * 32 + 32)).toString('hex'),
      community: communityOf[node]!,
      followers: followers[account]!,
      ...explainer.explain(node),
      ...(named && { pinned: named }),
    };
    explained++;
    if (chunk.push(JSON.stringify(stored)) < ACCOUNTS_A_CHUNK) continue;
    yield whole();
    chunk = [];
  }
  if (chunk.length > 0) yield whole();
}
