import type { CurrentTable } from '@covey/nats';
import { slotOf } from '@covey/placement';
import { PageProver, type PlacementTable, proveKey } from '@covey/table';
import type { KeyProofDocument } from './schemas.ts';

/** Makes proofs of where keys live. The tree over the pages of the current table is built at the first proof of an epoch. */
export class KeyProofs {
  #table: PlacementTable | undefined;
  #prover: PageProver | undefined;

  /** @param pubkey hex */
  of({ table, event }: CurrentTable, pubkey: string): KeyProofDocument {
    if (this.#table !== table || !this.#prover) {
      this.#table = table;
      this.#prover = new PageProver(table.bytes);
    }
    const key = Buffer.from(pubkey, 'hex');
    const { tableBytes, at, pages } = proveKey(table.bytes, key, slotOf(key), this.#prover);
    return {
      pubkey,
      epoch: table.epoch,
      manifest: event.id,
      tableBytes,
      at,
      pages: pages.map(({ index, bytes, path }) => ({
        index,
        bytes: Buffer.from(bytes).toString('base64'),
        path,
      })),
    };
  }
}
