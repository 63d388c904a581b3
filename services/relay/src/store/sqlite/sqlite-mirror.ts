import type { DatabaseSync } from 'node:sqlite';
import { MirrorState } from '../../mirror/mirror-state.ts';
import type { CommitQueue } from './commit-queue.ts';
import { bytesOf, hexOf, Statements } from './statements.ts';

/** The mirror's state in the member's own database. */
export function openMirrorState(db: DatabaseSync, commits: CommitQueue): MirrorState {
  const statements = new Statements(db);
  const cursors = statements.sql('SELECT pubkey, url, floor, top, bytes FROM mirror_cursors').all();
  const relays = statements.sql('SELECT url, failures, retry_at FROM mirror_relays').all();
  return new MirrorState(
    {
      saveCursors: (rows) =>
        commits.run(() => {
          const save = statements.sql(
            'INSERT OR REPLACE INTO mirror_cursors (pubkey, url, floor, top, bytes) VALUES (?, ?, ?, ?, ?)',
          );
          for (const { pubkey, url, floor, top, bytes } of rows)
            save.run(bytesOf(pubkey), url, floor, top, bytes);
        }),
      forgetCursors: (pubkeys) =>
        commits.run(() => {
          const forget = statements.sql('DELETE FROM mirror_cursors WHERE pubkey = ?');
          for (const pubkey of pubkeys) forget.run(bytesOf(pubkey));
        }),
      saveRelay: ({ url, failures, retryAt }) =>
        commits.run(() => {
          statements
            .sql('INSERT OR REPLACE INTO mirror_relays (url, failures, retry_at) VALUES (?, ?, ?)')
            .run(url, failures, retryAt);
        }),
      forgetRelay: (url) =>
        commits.run(() => {
          statements.sql('DELETE FROM mirror_relays WHERE url = ?').run(url);
        }),
    },
    cursors.map((row) => ({
      pubkey: hexOf(row['pubkey']),
      url: row['url'] as string,
      floor: Number(row['floor']),
      top: Number(row['top']),
      bytes: Number(row['bytes']),
    })),
    relays.map((row) => ({
      url: row['url'] as string,
      failures: Number(row['failures']),
      retryAt: Number(row['retry_at']),
    })),
  );
}
