import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { NegentropyItem, NostrEvent } from '@covey/nostr';
import type { RepairScope } from '../members/repair-scope.ts';

/** Events looked at between two turns of the event loop: a few milliseconds. */
const PAGE = 256;
/** A tag that says where an event belongs, or that it may not be copied. */
const TELLING_TAG = /\["[peqt-]"/;

interface Row {
  json: string;
  created_at: number;
  head: number;
  kind: number;
}

/** Reads ids and dates of what is stored, for a comparison with another member. */
export class SharedItems {
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

  /** Those in a scope that `belongs` lets through; undefined when there are more than `max`. */
  async read(
    { kinds, since, until }: RepairScope,
    belongs: (event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>) => boolean,
    max: number,
  ): Promise<NegentropyItem[] | undefined> {
    const items: NegentropyItem[] = [];
    for (const kind of kinds ?? [undefined]) {
      const statement = kind === undefined ? this.#byTime : this.#byKind;
      let last = { created_at: until, head: -1 };
      for (;;) {
        const rows = statement.all(kind ?? 0, since, last.created_at, last.head) as unknown as Row[];
        for (const row of rows) {
          // Most events tag nothing that counts; parsing them would be most of the work. Fields stand in a fixed order.
          const event: Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'> = TELLING_TAG.test(row.json)
            ? JSON.parse(row.json)
            : { kind: row.kind, pubkey: row.json.slice(83, 147), tags: [] };
          if (belongs(event)) items.push({ id: row.json.slice(7, 71), createdAt: row.created_at });
        }
        if (items.length > max) return undefined;
        if (rows.length < PAGE) break;
        last = rows.at(-1)!;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return items;
  }
}
