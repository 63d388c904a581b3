import type { NegentropyItem } from '@covey/nostr';
import type { RepairScope } from '../../members/repair-scope.ts';
import { type Belonging, belongingOf, itemOf, type SharedItems } from '../shared-items.ts';
import type { PgReads } from './pg-reads.ts';

const PAGE = 1000;

export class PgItems implements SharedItems {
  readonly #reads: PgReads;

  constructor(reads: PgReads) {
    this.#reads = reads;
  }

  async read(
    { kinds, since, until }: RepairScope,
    belongs: (event: Belonging) => boolean,
    max: number,
  ): Promise<NegentropyItem[] | undefined> {
    const items: NegentropyItem[] = [];
    for (const kind of kinds ?? [undefined]) {
      const range = kind === undefined ? ({ index: 'time' } as const) : ({ index: 'kind', kind } as const);
      let after: { created_at: number; head: number } | undefined;
      for (;;) {
        const rows = await this.#reads.page([range], { since, until, after, kinds: undefined, rows: PAGE });
        for (const row of rows) if (belongs(belongingOf(row))) items.push(itemOf(row));
        if (items.length > max) return undefined;
        if (rows.length < PAGE) break;
        after = rows.at(-1)!;
      }
    }
    return items;
  }
}
