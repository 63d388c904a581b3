import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { NegentropyItem } from '@covey/nostr';
import type { RepairScope } from '../../members/repair-scope.ts';
import { type Belonging, belongingOf, type ItemRow, itemOf, type SharedItems } from '../shared-items.ts';

/** Events looked at between two turns of the event loop: a few milliseconds. */
const PAGE = 256;

export class SqliteItems implements SharedItems {
  readonly #byTime: StatementSync;
  readonly #byKind: StatementSync;

  constructor(db: DatabaseSync) {
    // A page of events, newest first: kind, since, until, and the row that it comes after (created_at twice, head).
    const page = (index: string, where: string) =>
      db.prepare(
        `SELECT json, created_at, head, kind FROM events INDEXED BY ${index} WHERE ${where} AND created_at >= ?2
         AND created_at <= ?3 AND (created_at < ?3 OR head > ?4) ORDER BY created_at DESC, head LIMIT ${PAGE}`,
      );
    this.#byTime = page('events_by_time', '?1 = 0');
    this.#byKind = page('events_by_kind', 'kind = ?1');
  }

  async read(
    { kinds, since, until }: RepairScope,
    belongs: (event: Belonging) => boolean,
    max: number,
  ): Promise<NegentropyItem[] | undefined> {
    const items: NegentropyItem[] = [];
    for (const kind of kinds ?? [undefined]) {
      const statement = kind === undefined ? this.#byTime : this.#byKind;
      let last = { created_at: until, head: -1 };
      for (;;) {
        const rows = statement.all(kind ?? 0, since, last.created_at, last.head) as unknown as ItemRow[];
        for (const row of rows) if (belongs(belongingOf(row))) items.push(itemOf(row));
        if (items.length > max) return undefined;
        if (rows.length < PAGE) break;
        last = rows.at(-1)!;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return items;
  }
}
