import type { PlaceResult } from '@covey/jobs';
import { type LoadedGraph, loadGraph, namesOf, type Sql } from '@covey/postgres';
import { PlacementTable, type TableMember } from '@covey/table';
import { type CommitContext, commitDraft } from './commit-draft.ts';
import { computeOnThread } from './compute-thread.ts';
import { lastEpoch, tableOf } from './epoch-store.ts';
import { storeExplanations } from './explanation-store.ts';
import { type EpochInputs, inputsDigest, memberOrder, type PlacementOptions } from './inputs.ts';
import { pinsOf } from './pins.ts';

export interface RunEpochOptions extends CommitContext {
  members: readonly TableMember[];
  placement: PlacementOptions;
  reason: string;
  /** Make an epoch even when nothing has changed. */
  force: boolean;
  /** Unix milliseconds. */
  nowMs: () => number;
  onPhase: (phase: string, done: number, total: number) => void;
  /** Ends the computation; nothing is committed. */
  signal: AbortSignal;
}

/**
 * Places anew and makes that the next epoch: load, compute, sign, commit.
 * @throws PlacementFailedError, FencedError
 */
export async function runEpoch(options: RunEpochOptions): Promise<PlaceResult> {
  const { sql, cluster, nowMs, onPhase } = options;
  const startedMs = nowMs();
  onPhase('load', 0, 1);
  const last = await lastEpoch(sql);
  const previousBytes = last && (await tableOf(sql, last.epoch));
  const previous = previousBytes && new PlacementTable(previousBytes);
  const { graph, relayLists } = await loadGraph(sql);
  const members = memberOrder(previous?.members ?? [], options.members);
  const pins = pinsOf(relayLists, members);
  const base: EpochInputs = {
    cluster,
    epoch: (last?.epoch ?? 0) + 1,
    createdAt: Math.floor(startedMs / 1000),
    pubkeys: graph.pubkeys,
    graph,
    members,
    pins,
    options: options.placement,
  };
  const snapshot = inputsDigest(base);
  const loadMs = Math.round(nowMs() - startedMs);
  if (last && last.snapshot === snapshot && !options.force) return { changed: false, epoch: last.epoch };

  const inputs = { ...base, previous: previousBytes, previousRoot: last?.root };
  const { computed, report, explanations } = await computeOnThread(inputs, onPhase, options.signal);
  const ms: Record<string, number> = { load: loadMs, ...computed.ms };
  const counts = {
    accounts: graph.nodes,
    follows: graph.edges,
    communities: computed.communities,
    groups: computed.groups,
    moved: computed.moved.accounts,
  };
  onPhase('commit', 0, 1);
  const commitStartedMs = nowMs();
  const named = await nameAccounts(sql, report.communities, graph);
  await commitDraft(options, last, {
    epoch: inputs.epoch,
    createdAt: inputs.createdAt,
    table: computed.table,
    root: computed.root,
    members,
    delta: computed.delta,
    inputs: computed.inputs,
    snapshot,
    counts,
    reason: options.reason,
    report: {
      ...report,
      communities: named as never,
      moved: computed.moved,
      trust: computed.trust,
      ms,
    },
  });
  ms['commit'] = Math.round(nowMs() - commitStartedMs);
  onPhase('explain', 0, 1);
  // The epoch stands without its explanations: who asks is told which epoch they are of.
  const explainError = await storeExplanations(sql, inputs.epoch, explanations).then(
    () => undefined,
    (error) => String(error),
  );
  ms['total'] = Math.round(nowMs() - startedMs);
  return {
    changed: true,
    epoch: inputs.epoch,
    root: computed.root,
    counts,
    modularity: computed.modularity,
    trust: computed.trust,
    tableBytes: computed.table.length,
    deltaBytes: computed.delta?.length ?? null,
    ...(explainError === undefined ? {} : { explainError }),
    ms,
  };
}

type ReportedCommunity = { top: { account: number; followers: number }[] };

/** Puts public keys and names in place of account numbers, and names each community after its most followed account. */
async function nameAccounts(
  sql: Sql,
  communities: readonly ReportedCommunity[],
  { pubkeys, ids }: LoadedGraph,
): Promise<object[]> {
  const wanted = [...new Set(communities.flatMap(({ top }) => top.map(({ account }) => ids[account]!)))];
  const names = await namesOf(sql, wanted);
  return communities.map((community) => {
    const top = community.top.map(({ account, followers }) => ({
      pubkey: Buffer.from(pubkeys.subarray(account * 32, account * 32 + 32)).toString('hex'),
      name: names.get(ids[account]!) ?? null,
      followers,
    }));
    return { ...community, label: top.find(({ name }) => name)?.name ?? null, top };
  });
}
