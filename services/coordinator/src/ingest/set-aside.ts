import { dropFutureLists, dueFutureLists, type FutureListPlace, type Sql } from '@covey/postgres';
import { blockOf, type SourceChunk } from './source-chunk.ts';

const LISTS_A_CHUNK = 100;

/** Lists that were dated in the future when they came, and are due now. They go through all checks again. */
export async function* setAsideChunks(sql: Sql, clock: () => number): AsyncGenerator<SourceChunk> {
  const now = Math.floor(clock() / 1000);
  let after: FutureListPlace | undefined;
  while (true) {
    const lists = await dueFutureLists(sql, now, LISTS_A_CHUNK, after);
    if (lists.length === 0) return;
    after = lists.at(-1)!;
    yield {
      records: blockOf(lists.map(({ event }) => Buffer.from(event))),
      checkpoint: (tx) => dropFutureLists(tx, lists),
    };
  }
}
