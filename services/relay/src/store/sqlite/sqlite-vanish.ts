import { KIND, type NostrEvent } from '@covey/nostr';
import { tagKey } from '../keys.ts';
import type { Vanishing } from '../vanishing.ts';
import { bytesOf, hexOf, type Statements } from './statements.ts';

/** Events removed in one transaction: an account's may be many. */
const BATCH = 500;

/** Reads again what is pending: at the start, and after a transaction was undone. */
export function loadVanishing(statements: Statements, vanishing: Vanishing): void {
  const rows = statements.sql('SELECT pubkey, until FROM vanished WHERE pending = 1').all();
  vanishing.load(rows.map((row) => [hexOf(row['pubkey']), Number(row['until'])]));
}

/** Removes the next events of accounts that vanished, inside a transaction. @returns how many were found */
export function removeVanishedBatch(
  statements: Statements,
  vanishing: Vanishing,
  remove: (seq: number, event: NostrEvent) => void,
): number {
  for (let next = vanishing.next; next; next = vanishing.next) {
    const [pubkey, until] = next;
    const key = bytesOf(pubkey);
    const rows = [
      ...statements
        .sql(
          `SELECT seq, json FROM events WHERE pubkey = ? AND created_at <= ? AND kind <> ${KIND.vanish} LIMIT ${BATCH}`,
        )
        .all(key, until),
      ...statements
        .sql(
          `SELECT e.seq AS seq, e.json AS json FROM tags t JOIN events e ON e.seq = t.seq
           WHERE t.key = ? AND t.kind = ${KIND.sealedDm} AND t.created_at <= ? LIMIT ${BATCH}`,
        )
        .all(tagKey('p', pubkey), until),
    ];
    const seen = new Set<number>();
    for (const row of rows) {
      const seq = Number(row['seq']);
      if (!seen.has(seq)) remove(seq, JSON.parse(row['json'] as string));
      seen.add(seq);
    }
    if (rows.length > 0) return rows.length;
    statements.sql('UPDATE vanished SET pending = 0 WHERE pubkey = ?').run(key);
    vanishing.done(pubkey);
  }
  return 0;
}
