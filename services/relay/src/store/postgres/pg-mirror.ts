import { type CursorRow, MirrorState } from '../../mirror/mirror-state.ts';
import type { Connection } from './connection.ts';
import type { GroupCommit } from './group-commit.ts';
import { bytesOf, hexOf, list } from './values.ts';

/** The mirror's state in the member's schema. */
export async function openMirrorState({ reads }: Connection, commits: GroupCommit): Promise<MirrorState> {
  const cursors = await reads<(Omit<CursorRow, 'pubkey'> & { pubkey: Buffer })[]>`
    SELECT pubkey, url, floor, top, bytes FROM mirror_cursors`;
  const relays = await reads<{ url: string; failures: number; retry_at: number }[]>`
    SELECT url, failures, retry_at FROM mirror_relays`;
  return new MirrorState(
    {
      saveCursors: (rows) =>
        commits.run(async (tx) => {
          await tx`INSERT INTO mirror_cursors (pubkey, url, floor, top, bytes)
            SELECT * FROM unnest(${list(
              tx,
              'bytea',
              rows.map(({ pubkey }) => bytesOf(pubkey)),
            )}::bytea[], ${list(
              tx,
              'text',
              rows.map(({ url }) => url),
            )}::text[],
              ${list(
                tx,
                'bigint',
                rows.map(({ floor }) => floor),
              )}::bigint[], ${list(
                tx,
                'bigint',
                rows.map(({ top }) => top),
              )}::bigint[], ${list(
                tx,
                'bigint',
                rows.map(({ bytes }) => bytes),
              )}::bigint[])
            ON CONFLICT (pubkey, url) DO UPDATE SET floor = excluded.floor, top = excluded.top, bytes = excluded.bytes`;
        }),
      forgetCursors: (pubkeys) =>
        commits.run(async (tx) => {
          await tx`DELETE FROM mirror_cursors WHERE pubkey = ANY(${list(
            tx,
            'bytea',
            pubkeys.map((pubkey) => bytesOf(pubkey)),
          )}::bytea[])`;
        }),
      saveRelay: ({ url, failures, retryAt }) =>
        commits.run(async (tx) => {
          await tx`INSERT INTO mirror_relays (url, failures, retry_at) VALUES (${url}, ${failures}, ${retryAt})
            ON CONFLICT (url) DO UPDATE SET failures = excluded.failures, retry_at = excluded.retry_at`;
        }),
      forgetRelay: (url) =>
        commits.run(async (tx) => {
          await tx`DELETE FROM mirror_relays WHERE url = ${url}`;
        }),
    },
    cursors.map((row) => ({ ...row, pubkey: hexOf(row.pubkey) })),
    relays.map(({ url, failures, retry_at }) => ({ url, failures, retryAt: retry_at })),
  );
}
