import type { NostrEvent } from '@covey/nostr';
import type { Sql, TransactionSql } from '@covey/postgres';
import {
  diffTables,
  encodeTable,
  PlacementTable,
  signManifest,
  type TableContent,
  type TableMember,
} from '@covey/table';
import type { CoordinatorKeys } from '../config.ts';
import { commitEpoch, type EpochCounts, type EpochHead, type EpochRow } from './epoch-store.ts';

/** How long moves of an epoch may start. */
const MOVES_SECONDS = 24 * 3600;

/** An epoch that is ready to be signed: its table, and what its manifest and its row say beside. */
export interface EpochDraft {
  epoch: number;
  /** Unix seconds. */
  createdAt: number;
  table: Uint8Array;
  root: string;
  members: readonly TableMember[];
  /** From the epoch before; absent for the first, and where it would be no smaller than the table. */
  delta?: Uint8Array | undefined;
  /** SHA-256 (hex) over everything that decided the placement. */
  inputs: string;
  /** Root of the placement that these inputs give, and that the epoch is on its way to. */
  target?: string | undefined;
  /** Digest of graph, members, pins and options alone: equal to the last one's, there is nothing to place. */
  snapshot: string;
  counts: EpochCounts;
  reason: string;
  /** Absent: the newest report stands for this epoch too. */
  report?: EpochRow['report'] | undefined;
  inputsPieces?: EpochRow['inputsPieces'];
}

/** In whose name an epoch is made. */
export interface SignContext {
  cluster: string;
  fence: number;
  keys: CoordinatorKeys;
}

export interface CommitContext extends SignContext {
  sql: Sql;
}

/**
 * Signs a draft as the successor of `last` and commits it under the fence. The only way in which an epoch comes to be,
 * whether it is a new placement, a step of one, or an old content again; steps are committed by `MoveStore`. Publishing
 * is the outbox's business.
 * @param together further statements of the same transaction: what they write stands if and only if the epoch does.
 * @returns id of the manifest.
 * @throws FencedError when this coordinator no longer leads, or `last` is no longer the last epoch.
 */
export async function commitDraft(
  context: CommitContext,
  last: EpochHead | undefined,
  draft: EpochDraft,
  together?: (tx: TransactionSql, manifest: NostrEvent) => Promise<void>,
): Promise<string> {
  const row = signDraft(context, last, draft);
  await commitEpoch(context.sql, row, together && ((tx) => together(tx, row.manifest)));
  return row.manifestId;
}

/** The row of an epoch: a draft, signed as the successor of `last`. Pure. */
export function signDraft(
  { cluster, fence, keys }: SignContext,
  last: EpochHead | undefined,
  draft: EpochDraft,
): EpochRow {
  const { epoch, createdAt, root, inputs, target = null, members, counts, table } = draft;
  const manifest = signManifest(
    {
      cluster,
      epoch,
      previous: last?.manifestId ?? null,
      createdAt,
      root,
      tableBytes: table.length,
      inputs,
      target,
      movesUntil: createdAt + MOVES_SECONDS,
      members: members.map(({ id, url }) => ({ id, url })),
      counts,
    },
    keys.pubkey,
    keys.secretKey,
    keys.certificate,
  );
  return { ...draft, target: draft.target, fence, manifest, manifestId: manifest.id };
}

/** Where an epoch's content comes from. */
export interface EpochOrigin {
  inputs: string;
  snapshot: string;
  counts: EpochCounts;
  target: string | undefined;
  inputsPieces?: EpochRow['inputsPieces'];
}

/** What a step changes, beside the content. */
export interface StepOptions {
  /** Unix seconds. */
  createdAt: number;
  reason: string;
  /** Accounts whose set of members this step changed. */
  moved: number;
  /** Digests of another placement than the last epoch's, when the content is of one. */
  origin?: EpochOrigin | undefined;
  report?: EpochRow['report'] | undefined;
}

/**
 * A draft of the epoch after `last` whose content is given, not placed: a step of a move, an adopted failover, an old
 * content again. Inputs and snapshot stay the last epoch's, as the graph and the options are still those; `content.epoch`
 * is not looked at. Pure.
 * @param previous the table of `last`.
 * @throws InvalidTableError
 */
export function draftStep(
  last: EpochHead,
  previous: PlacementTable,
  content: TableContent,
  { createdAt, reason, moved, origin, report }: StepOptions,
): EpochDraft {
  const epoch = last.epoch + 1;
  const table = encodeTable({ ...content, epoch });
  const next = new PlacementTable(table);
  const delta = diffTables(previous, next);
  const { inputs, snapshot, counts, target, inputsPieces }: EpochOrigin = origin ?? last;
  return {
    epoch,
    createdAt,
    table,
    root: next.root,
    members: content.members,
    ...(delta.length < table.length ? { delta } : {}),
    inputs,
    snapshot,
    target,
    inputsPieces,
    counts: { ...counts, accounts: next.accounts, moved },
    reason,
    report,
  };
}
