import { type IngestSource, InvalidSourceError, parseIngestSource, sourceLabel } from '@covey/jobs';
import { isPrivateRelayUrl, normalizeRelayUrl } from '@covey/nostr';
import type { Sql } from '@covey/postgres';
import { edgesFileChunks } from './edges-file.ts';
import { eventsFileChunks } from './events-file.ts';
import { EXAMINE_DEFAULTS, type ExamineOptions } from './examine.ts';
import type { RelayLimits } from './relay/relay-limits.ts';
import { relayChunks } from './relay/relay-source.ts';
import { setAsideChunks } from './set-aside.ts';
import { snapshotChunks } from './snapshot.ts';
import type { SourceChunk } from './source-chunk.ts';

export interface SourceOptions {
  sql: Sql;
  /** Milliseconds since 1970. */
  clock: () => number;
  /** `local` allows relays on private addresses. */
  profile: 'local' | 'public';
  limits?: Partial<ExamineOptions>;
  relayLimits?: Partial<RelayLimits>;
  /** Stops the run at the next chunk, and a wait for a relay at once: what is stored stays, the report is partial. */
  signal?: AbortSignal;
}

/**
 * The chunks of a source. Nothing is opened before the first one is asked for.
 * @throws InvalidSourceError when the source can't be meant so; trying again can't cure it
 */
export function openSource(value: IngestSource, options: SourceOptions): AsyncIterable<SourceChunk> {
  const source = parseIngestSource(value);
  const { sql, clock, profile, relayLimits, signal } = options;
  switch (source.type) {
    case 'events':
      return eventsFileChunks(source.path, options.limits?.eventBytesMax ?? EXAMINE_DEFAULTS.eventBytesMax);
    case 'edges':
      return edgesFileChunks(source.path, sourceLabel(source), source.createdAt);
    case 'snapshot':
      return snapshotChunks(sourceLabel(source));
    case 'set-aside':
      return setAsideChunks(sql, clock);
    case 'relay':
      return relayChunks(relayUrl(source.url, profile), {
        sql,
        clock,
        allowPrivate: profile === 'local',
        limits: relayLimits,
        signal,
      });
  }
}

function relayUrl(text: string, profile: SourceOptions['profile']): string {
  let url: string;
  try {
    url = normalizeRelayUrl(text);
  } catch (cause) {
    throw new InvalidSourceError((cause as Error).message, { cause });
  }
  if (profile !== 'local' && isPrivateRelayUrl(url))
    throw new InvalidSourceError(
      `${url} is in a private network, which is refused; COVEY_PROFILE=local allows relays of your own network`,
    );
  return url;
}
