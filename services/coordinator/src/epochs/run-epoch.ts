import type { PlaceResult } from '@covey/jobs';
import { type LoadedGraph, loadGraph, namesOf, type Sql } from '@covey/postgres';
import { PlacementTable, type TableMember } from '@covey/table';
import { commitTarget, type MoveContext } from '../moves/commit-target.ts';
import type { Serial } from '../moves/serial.ts';
import { readTarget, writeTarget } from '../moves/target-store.ts';
import { type CommitContext, commitDraft, type EpochDraft } from './commit-draft.ts';
import { computeOnThread } from './compute-thread.ts';
import { lastEpoch, tableOf } from './epoch-store.ts';
import { storeExplanations } from './explanation-store.ts';
import { type EpochInputs, inputsDigest, memberOrder, type PlacementOptions } from './inputs.ts';
import { packInputs } from './inputs-file.ts';
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
  moves: MoveContext;
  /** Held while an epoch is made: moves go on while a placement is computed. */
  serial: Serial;
}

/**
 * Places anew: load, compute, then make the placement the target of moves and their first step the next epoch. The very
 * first placement is the first epoch as it is.
 * @throws PlacementFailedError, FencedError
 */
export async function runEpoch(options: RunEpochOptions): Promise<PlaceResult> {
  const { sql, cluster, nowMs, onPhase } = options;
  const startedMs = nowMs();
  onPhase('load', 0, 1);
  const last = await lastEpoch(sql);
  // Placements follow each other: what is on its way counts as where it goes.
  const target = await readTarget(sql);
  const previous = target?.table ?? (last && new PlacementTable(await tableOf(sql, last.epoch)));
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

  const inputs = { ...base, previous: previous?.bytes, previousRoot: previous?.root };
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
  const placed = {
    inputs: computed.inputs,
    snapshot,
    target: computed.root,
    inputsPieces: await packInputs(inputs),
    counts,
    reason: options.reason,
    report: {
      ...report,
      communities: named as never,
      moved: computed.moved,
      trust: computed.trust,
      ms,
    },
  };
  const table = new PlacementTable(computed.table);
  const draft = await options.serial.run(async () => {
    const latest = await lastEpoch(sql);
    if (latest) {
      const { reason, report: said, ...origin } = placed;
      const next = { table, nowMs: startedMs, reason, moved: counts.moved, origin, report: said };
      return await commitTarget(options, options.moves, latest, next);
    }
    const { epoch, createdAt } = inputs;
    const first = { ...placed, epoch, createdAt, table: table.bytes, root: table.root, members };
    await commitDraft(options, undefined, first, (tx) => writeTarget(tx, table, new Map()));
    return first as EpochDraft;
  });
  ms['commit'] = Math.round(nowMs() - commitStartedMs);
  onPhase('explain', 0, 1);
  // The epoch stands without its explanations: who asks is told which epoch they are of.
  const explainError = await storeExplanations(sql, draft.epoch, explanations).then(
    () => undefined,
    (error) => String(error),
  );
  ms['total'] = Math.round(nowMs() - startedMs);
  return {
    changed: true,
    epoch: draft.epoch,
    root: draft.root,
    counts,
    modularity: computed.modularity,
    trust: computed.trust,
    tableBytes: draft.table.length,
    deltaBytes: draft.delta?.length ?? null,
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
