import { KIND } from '@covey/nostr';
import { type RelayCursor, readCursor, type Sql, saveCursor } from '@covey/postgres';
import { blockOf, SourceBrokenError, type SourceChunk } from '../source-chunk.ts';
import { RELAY_LIMITS, type RelayLimits } from './relay-limits.ts';
import { RelayBrokeOffError, RelaySocket } from './relay-socket.ts';
import { nextCursor, sweep } from './sweep.ts';

const KINDS = [KIND.follows, KIND.relayList] as const;
/** After an interrupted sweep is done, a new one follows when it began longer ago than this, in seconds. */
const STALE_SECONDS = 3_600;

export interface RelaySourceOptions {
  sql: Sql;
  clock: () => number;
  allowPrivate: boolean;
  limits?: Partial<RelayLimits> | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Follow lists and relay lists from a live relay, from where the last run stopped. A page's cursor is stored with its
 * lists. One page is held at a time; the next is asked for when the consumer wants it.
 * @throws SourceBrokenError when the relay fails; what it has given has been handed over
 */
export async function* relayChunks(url: string, options: RelaySourceOptions): AsyncGenerator<SourceChunk> {
  const { sql, clock, allowPrivate, signal } = options;
  const limits = { ...RELAY_LIMITS, ...options.limits };
  const relay = await RelaySocket.connect(url, limits, allowPrivate);
  const stop = () => relay.interrupt('stopped before the end');
  signal?.addEventListener('abort', stop);
  let pages = 0;
  let unusable: Uint8Array[] = [];
  try {
    for (const kind of KINDS) {
      let before = await readCursor(sql, url, kind);
      do {
        const start = nextCursor(before, { url, kind, now: Math.floor(clock() / 1000) });
        const ask = async (request: Parameters<RelaySocket['ask']>[0]) => {
          if (++pages > limits.pagesMax)
            throw new SourceBrokenError(
              `${url}: ${limits.pagesMax} pages are enough for one run; run it again`,
              {
                retry: true,
              },
            );
          const page = await relay.ask(request);
          unusable = page.unusable;
          return page;
        };
        for await (const { messages, cursor, crowdedSecond } of sweep(ask, start, limits)) {
          yield {
            ...records([...messages, ...unusable]),
            crowdedSeconds: crowdedSecond ? 1 : 0,
            checkpoint: (tx) => saveCursor(tx, cursor, new Date(clock())),
            position: position(cursor),
          };
          unusable = [];
          before = cursor;
        }
      } while (before && clock() / 1000 - before.sweepTop > STALE_SECONDS);
    }
  } catch (error) {
    // What came counts; the cursor stays, so that the next run asks for this page again.
    if (error instanceof RelayBrokeOffError) {
      const { events } = error.page;
      yield records([...events.map(({ message }) => message), ...error.page.unusable]);
      throw error.broken;
    }
    yield records(unusable);
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    relay.close();
  }
}

function records(messages: Uint8Array[]): SourceChunk {
  return messages.length > 0 ? { records: blockOf(messages) } : {};
}

function position({ kind, nextUntil, done }: RelayCursor): string {
  const what = kind === KIND.follows ? 'follow lists' : 'relay lists';
  return done ? `${what}: all` : `${what} back to ${new Date(nextUntil * 1000).toISOString().slice(0, 10)}`;
}
