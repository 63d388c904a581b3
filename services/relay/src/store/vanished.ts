import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { KIND, type NostrEvent } from '@covey/nostr';
import { tagKey } from './keys.ts';

/** Events removed in one transaction: an account's may be many. */
const BATCH = 500;

/**
 * Accounts that asked to vanish (NIP-62): nothing of theirs up to then is served or taken again, nor what was sealed for
 * them. What is stored of them goes a batch at a time; from the request on it is hidden.
 */
export class Vanished {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Accounts of which something may still be stored, with the time up to which it goes. */
  readonly #pending = new Map<string, number>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.reload();
  }

  /** Reads again what is pending: at the start, and after a transaction was undone. */
  reload(): void {
    this.#pending.clear();
    for (const row of this.#sql('SELECT pubkey, until FROM vanished WHERE pending = 1').iterate())
      this.#pending.set(Buffer.from(row['pubkey'] as Uint8Array).toString('hex'), Number(row['until']));
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) this.#statements.set(text, (statement = this.#db.prepare(text)));
    return statement;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Inside a transaction. @param until Unix seconds */
  note(pubkey: string, until: number): void {
    this.#sql(
      'INSERT INTO vanished (pubkey, until, pending) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET until = max(until, ?2), pending = 1',
    ).run(Buffer.from(pubkey, 'hex'), until);
    this.#pending.set(pubkey, Math.max(until, this.#pending.get(pubkey) ?? 0));
  }

  /** Whether an event must not be taken (again). The requests themselves are kept, as the reason. */
  covers(event: NostrEvent): boolean {
    if (event.kind === KIND.vanish) return false;
    const find = this.#sql('SELECT 1 FROM vanished WHERE pubkey = ? AND until >= ?');
    const isGone = (pubkey: string) => find.get(Buffer.from(pubkey, 'hex'), event.created_at) !== undefined;
    if (isGone(event.pubkey)) return true;
    if (event.kind !== KIND.sealedDm) return false;
    return event.tags.some(
      ([name, value]) => name === 'p' && /^[0-9a-f]{64}$/.test(value ?? '') && isGone(value!),
    );
  }

  /** Whether a stored event is on its way out. */
  hides(json: string, createdAt: number): boolean {
    if (this.#pending.size === 0) return false;
    // `parseEvent` fixes the order of fields: the author stands at a fixed place.
    const until = this.#pending.get(json.slice(83, 147));
    return until !== undefined && createdAt <= until && !json.includes(`"kind":${KIND.vanish},`);
  }

  /** Removes the next events of accounts that vanished, inside a transaction. @returns how many were found */
  removeBatch(remove: (seq: number, event: NostrEvent) => void): number {
    for (const [pubkey, until] of this.#pending) {
      const key = Buffer.from(pubkey, 'hex');
      const rows = [
        ...this.#sql(
          `SELECT seq, json FROM events WHERE pubkey = ? AND created_at <= ? AND kind <> ${KIND.vanish} LIMIT ${BATCH}`,
        ).all(key, until),
        ...this.#sql(
          `SELECT e.seq AS seq, e.json AS json FROM tags t JOIN events e ON e.seq = t.seq
           WHERE t.key = ? AND t.kind = ${KIND.sealedDm} AND t.created_at <= ? LIMIT ${BATCH}`,
        ).all(tagKey('p', pubkey), until),
      ];
      const seen = new Set<number>();
      for (const row of rows) {
        const seq = Number(row['seq']);
        if (!seen.has(seq)) remove(seq, JSON.parse(row['json'] as string));
        seen.add(seq);
      }
      if (rows.length > 0) return rows.length;
      this.#sql('UPDATE vanished SET pending = 0 WHERE pubkey = ?').run(key);
      this.#pending.delete(pubkey);
    }
    return 0;
  }
}
