import { type IngestSource, sourceLabel } from '@covey/jobs';
import { snapshotChunks } from './snapshot.ts';
import type { SourceChunk } from './source-chunk.ts';

export interface SourceOptions {
  /** Milliseconds since 1970. */
  clock: () => number;
  /** `local` allows relays on private addresses. */
  profile: 'local' | 'public';
}

/** The chunks of a source. Nothing is opened before the first one is asked for. */
export function openSource(source: IngestSource, _options: SourceOptions): AsyncIterable<SourceChunk> {
  return snapshotChunks(sourceLabel(source));
}
