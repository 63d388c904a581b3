import type { Sql } from '@covey/postgres';
import type { ExplanationChunk } from './explanations.ts';

/** Rows of one statement. */
const ROWS_A_STATEMENT = 64;

/**
 * Replaces the explanations of earlier epochs by those of this one, in a transaction of its own after the epoch's: the
 * epoch does not wait for them, and its lease is not held meanwhile.
 */
export async function storeExplanations(
  sql: Sql,
  epoch: number,
  chunks: readonly ExplanationChunk[],
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`delete from epoch_explanations`;
    for (let at = 0; at < chunks.length; at += ROWS_A_STATEMENT) {
      const rows = chunks.slice(at, at + ROWS_A_STATEMENT).map(({ firstKey, accounts }) => ({
        epoch,
        first_key: Buffer.from(firstKey),
        accounts: Buffer.from(accounts),
      }));
      await tx`insert into epoch_explanations ${tx(rows, 'epoch', 'first_key', 'accounts')}`;
    }
  });
}
