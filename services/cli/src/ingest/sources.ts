import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, constants, mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type IngestSource, InvalidSourceError, parseIngestSource, SPOOL_PREFIX } from '@covey/jobs';
import { CommandError, EXIT } from '../api-client.ts';

export interface SourceFlags {
  unsigned?: boolean;
  profiles?: boolean;
  format: string;
}

/** More than any export of the whole network takes. */
const SPOOL_BYTES_MAX = 64 * 2 ** 30;

/**
 * What a SOURCE argument means: `-`, a relay's URL, `nostr-social-graph`, else a path.
 * @param spoolDir where standard input is kept until it is read
 * @throws CommandError (64 for wrong usage, 65 for a file that can't be read)
 */
export async function toSource(
  argument: string,
  { unsigned = false, profiles = false, format }: SourceFlags,
  spoolDir: string,
  input: Readable,
): Promise<IngestSource> {
  if (format !== 'events' && format !== 'edges')
    throw new CommandError(EXIT.usage, `--format is events or edges, not ${format}`);
  if (argument === 'nostr-social-graph') return checked({ type: 'snapshot', unsigned });
  if (/^wss?:\/\//i.test(argument)) return checked({ type: 'relay', url: argument });
  if (/^[a-z]+:\/\//i.test(argument))
    throw new CommandError(EXIT.usage, `${argument} is no source; give a file, -, or a relay (wss://…)`);
  const temporary = argument === '-' ? { temporary: true } : {};
  const as = (path: string): IngestSource =>
    format === 'edges'
      ? { type: 'edges', path, unsigned, ...temporary }
      : { type: 'events', path, ...(profiles ? { profiles } : {}), ...temporary };
  // Refused before standard input is read to its end.
  checked(as('/'));
  return checked(as(argument === '-' ? await spool(spoolDir, input) : await readable(argument)));
}

function checked(source: IngestSource): IngestSource {
  try {
    return parseIngestSource(source);
  } catch (error) {
    if (error instanceof InvalidSourceError) throw new CommandError(EXIT.usage, error.message);
    throw error;
  }
}

async function readable(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    await access(absolute, constants.R_OK);
    return absolute;
  } catch (cause) {
    throw new CommandError(EXIT.data, `${path} can't be read: ${(cause as Error).message}`, { cause });
  }
}

async function spool(directory: string, input: Readable): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${SPOOL_PREFIX}${randomUUID()}`);
  const bounded = async function* (chunks: AsyncIterable<Uint8Array>) {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > SPOOL_BYTES_MAX)
        throw new Error(`standard input is over ${SPOOL_BYTES_MAX} bytes; give a file`);
      yield chunk;
    }
  };
  try {
    await pipeline(input, bounded, createWriteStream(path, { mode: 0o600, flags: 'wx' }));
    return path;
  } catch (cause) {
    await rm(path, { force: true });
    throw new CommandError(EXIT.data, `standard input could not be kept: ${(cause as Error).message}`, {
      cause,
    });
  }
}
