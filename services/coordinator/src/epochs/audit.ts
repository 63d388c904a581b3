import { checkStep, IllegalStepError, type KeyOf } from '@covey/moves';
import type { Manifest, PlacementTable } from '@covey/table';
import type { ComputedEpoch } from './compute-epoch.ts';
import type { EpochInputs } from './inputs.ts';
import type { OrderedRollback } from './rollback-epoch.ts';

/** What an epoch is checked against. */
export interface AuditEvidence {
  manifest: Manifest;
  inputs: EpochInputs;
  /** What these inputs give, computed by whoever audits. */
  computed: Pick<ComputedEpoch, 'root' | 'inputs'>;
  /** An order to go back that is in the log, with the placement that follows from it. */
  rollback?: OrderedRollback | undefined;
  /** The table of the epoch, when it is still kept. */
  table?: PlacementTable | undefined;
  /** That of the epoch before, and the keys that only one of the two lists. */
  before?: { table: PlacementTable; keyOf: KeyOf } | undefined;
}

export interface AuditVerdict {
  ok: boolean;
  epoch: number;
  /** What was looked at. */
  checked: string[];
  /** What does not fit, for people. */
  faults: string[];
}

/**
 * Whether an epoch is what the rules make of its inputs: their digest is the signed one, they give the placement that the
 * epoch is on its way to (or the log holds an order to go back to an older one), and the epoch is one legal step from the one
 * before. It does not show that the inputs (who follows whom) are honest, nor who wrote that order. Pure.
 */
export function judgeEpoch({
  manifest,
  inputs,
  computed,
  rollback,
  table,
  before,
}: AuditEvidence): AuditVerdict {
  const faults: string[] = [];
  const checked = ['the digest of the inputs', 'the placement that they give'];
  if (inputs.cluster !== manifest.cluster) faults.push('the inputs are of another cluster');
  if (computed.inputs !== manifest.inputs)
    faults.push(
      'the digest of the inputs is another: they were changed, or software of another version made them',
    );
  if (manifest.target === null) faults.push('the manifest names no placement that it is on its way to');
  else if (manifest.target === rollback?.root)
    checked.push(`the placement of epoch ${rollback.epoch}, which an order in the log brings back`);
  else if (computed.root !== manifest.target)
    faults.push(
      'these inputs give another placement, and no order in the log that can still be checked brings an older one back',
    );
  if (table) {
    checked.push('the table');
    if (table.root !== manifest.root) faults.push('the table is not the one that the manifest names');
    const ids = table.members.map(({ id }) => id).join();
    if (ids !== manifest.members.map(({ id }) => id).join())
      faults.push('the manifest lists other members than the table');
  }
  if (table && before) {
    checked.push('the step from the epoch before');
    try {
      checkStep(before.table, table, before.keyOf);
    } catch (error) {
      if (!(error instanceof IllegalStepError)) throw error;
      faults.push(`no legal step from the epoch before: ${error.message}`);
    }
  }
  return { ok: faults.length === 0, epoch: manifest.epoch, checked, faults };
}
