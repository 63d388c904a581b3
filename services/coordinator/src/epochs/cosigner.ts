import type { Logger } from '@covey/log';
import { listRevocations, type Sql, storeCosignature } from '@covey/postgres';
import { Revocations, signCosignature } from '@covey/table';
import type { CoordinatorKeys } from '../config.ts';
import { judgeEpoch } from './audit.ts';
import type { ComputedEpoch } from './compute-epoch.ts';
import { computeOnThread } from './compute-thread.ts';
import { lastEpoch } from './epoch-store.ts';
import { readEvidence } from './evidence.ts';
import { unpackInputs } from './inputs-file.ts';
import type { OrderedRollback } from './rollback-epoch.ts';

const LOOK_MS = 2_000;

export interface CosignerOptions {
  sql: Sql;
  cluster: string;
  keys: CoordinatorKeys;
  log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Signs epochs of other coordinators after it has computed their placement itself, and looked at each step. A placement is
 * computed once, on a thread; its steps are looked at as they come. What does not check out is not signed, and said.
 */
export class Cosigner {
  readonly #options: CosignerOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  /** The last rollback that an order was found for. */
  #rollback: OrderedRollback | undefined;
  /** The newest epoch that was looked at. */
  #seen = 0;
  #computed: { inputs: string; result: Pick<ComputedEpoch, 'root' | 'inputs'> } | undefined;

  constructor(options: CosignerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#working = this.#look()
        .catch((error) => this.#options.log.warn({ error: String(error) }, 'an epoch could not be looked at'))
        .finally(() => {
          if (!this.#stopping.signal.aborted) this.start();
        });
    }, LOOK_MS);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the process stops'));
    clearTimeout(this.#timer);
    await this.#working;
  }

  async #look(): Promise<void> {
    const { sql, cluster, keys, log } = this.#options;
    const last = await lastEpoch(sql);
    if (!last || last.epoch <= this.#seen) return;
    const roots = [keys.certificate.pubkey];
    const { event, manifest, inputsPieces, table, before, rollback } = await readEvidence(
      sql,
      last.epoch,
      cluster,
      roots,
    );
    const revocations = new Revocations(roots, cluster);
    for (const revocation of await listRevocations(sql)) revocations.add(revocation);
    const isOurs = event.pubkey === keys.pubkey;
    if (!isOurs && !revocations.isVoid(event.pubkey, manifest.epoch)) {
      const inputs = unpackInputs(inputsPieces);
      if (this.#computed?.inputs !== manifest.inputs) {
        const { computed } = await computeOnThread(inputs, () => {}, this.#stopping.signal);
        this.#computed = { inputs: manifest.inputs, result: computed };
      }
      // Its steps go on when the older table is kept no longer.
      if (rollback) this.#rollback = rollback;
      const verdict = judgeEpoch({
        manifest,
        inputs,
        computed: this.#computed.result,
        rollback: this.#rollback,
        table,
        before,
      });
      const { epoch, root } = manifest;
      if (verdict.ok) {
        const signed = { cluster, epoch, root, inputs: manifest.inputs, createdAt: event.created_at };
        const signature = signCosignature(signed, keys.pubkey, keys.secretKey, keys.certificate);
        await storeCosignature(sql, epoch, signature);
        log.info({ epoch }, 'epoch computed alike, and signed');
      } else log.warn({ epoch, faults: verdict.faults }, 'an epoch does not check out: not signed');
    }
    this.#seen = last.epoch;
  }
}
