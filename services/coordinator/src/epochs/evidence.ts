import type { NostrEvent } from '@covey/nostr';
import type { Sql } from '@covey/postgres';
import { type Manifest, PlacementTable, verifyManifest } from '@covey/table';
import { WholeKeys } from '../moves/whole-keys.ts';
import type { AuditEvidence } from './audit.ts';
import { inputsOf } from './epoch-store.ts';
import { orderedRollback } from './rollback-epoch.ts';

/** What an audit needs is not kept any more; says what is. */
export class NoEvidenceError extends Error {
  override name = 'NoEvidenceError';
}

/** All that the database keeps of an epoch, but what is computed. */
export interface StoredEvidence {
  event: NostrEvent;
  manifest: Manifest;
  inputsPieces: Uint8Array[];
  table: PlacementTable | undefined;
  before: AuditEvidence['before'];
  rollback: AuditEvidence['rollback'];
}

/**
 * @param roots root public keys (hex) that are trusted.
 * @throws NoEvidenceError, InvalidManifestError
 */
export async function readEvidence(
  sql: Sql,
  epoch: number,
  cluster: string,
  roots: readonly string[],
): Promise<StoredEvidence> {
  const rows = await sql<
    { manifest: NostrEvent; table_bytes: Uint8Array | null; previous: Uint8Array | null }[]
  >`
    select e.manifest, e.table_bytes, p.table_bytes as previous
    from epochs e left join epochs p on p.epoch = e.epoch - 1 where e.epoch = ${epoch}`;
  const row = rows[0];
  if (!row) throw new NoEvidenceError(`there is no epoch ${epoch}; covey epochs list shows them`);
  // Steps are on their way to the newest placement before them.
  const [placed] = await sql<{ epoch: string | null }[]>`
    select max(epoch) as epoch from epoch_inputs where epoch <= ${epoch}`;
  const inputsPieces = placed?.epoch ? await inputsOf(sql, Number(placed.epoch)) : [];
  if (inputsPieces.length === 0)
    throw new NoEvidenceError(
      `the inputs of epoch ${epoch} are not kept: it is too old, or they are too large to keep`,
    );
  const open = (bytes: Uint8Array | null) => (bytes ? new PlacementTable(new Uint8Array(bytes)) : undefined);
  const table = open(row.table_bytes);
  const previous = open(row.previous);
  const manifest = verifyManifest(row.manifest, roots, cluster);
  return {
    event: row.manifest,
    manifest,
    inputsPieces,
    table,
    rollback: await orderedRollback(sql, manifest.target),
    before: table &&
      previous && { table: previous, keyOf: await new WholeKeys(sql).between(previous, table) },
  };
}
