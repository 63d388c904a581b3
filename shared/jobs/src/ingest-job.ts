import { createHash } from 'node:crypto';
import { isAbsolute } from 'node:path';
import type { Jobs } from './jobs.ts';

/** Where lists come from: what a job of the ingest queue carries. */
export type IngestSource =
  /** A file of events, one JSON object a line, plain or gzip. */
  | {
      type: 'events';
      path: string;
      /** Take names from kind 0 too. */
      profiles?: boolean;
      /** Spooled from standard input: removed when the job is over. */
      temporary?: boolean;
    }
  /** A relay, read for follow lists and relay lists from where the last run stopped. */
  | { type: 'relay'; url: string }
  /** The crawl in the npm package nostr-social-graph. Unsigned. */
  | { type: 'snapshot'; unsigned: boolean }
  /** `follower followee` a line, hex or npub. Unsigned; as old as `createdAt` (Unix seconds) says, else as the file. */
  | { type: 'edges'; path: string; unsigned: boolean; createdAt?: number; temporary?: boolean }
  /** Lists that were set aside because they were dated in the future, and are due now. */
  | { type: 'set-aside' };

/** Why a record did not count. */
export const REJECT_REASONS = [
  'broken json',
  'invalid utf-8',
  'too large',
  'too many tags',
  'malformed',
  'other kind',
  'wrong id',
  'wrong signature',
  'future',
  'unreadable line',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** read = accepted + duplicate + stale + yields + everything rejected. */
export interface IngestCounts {
  /** Records seen: events, or lists of an unsigned source. */
  read: number;
  /** Lists (and names) that stand now, or stood until a later record of this run replaced them. */
  accepted: number;
  /** Of the accepted, those that took an older one's place. */
  replaced: number;
  duplicate: number;
  /** Older than the one that stands. */
  stale: number;
  /** Unsigned where a signed one stands. */
  yields: number;
  rejected: Partial<Record<RejectReason, number>>;
  /** Follows in accepted follow lists. */
  follows: number;
  /** Relay URLs left out of accepted relay lists: they point into a private network. */
  privateRelayUrls: number;
  /** Relays that answer with no more events of one second than fit a page: seconds with possibly more. */
  crowdedSeconds: number;
  /** Accepted follow lists and relay lists: what placement depends on. */
  changed: number;
}

/** How a run ended. `partial`: what was read counts, and `error` says why there is no more and how far it came. */
export interface IngestReport {
  run: number;
  state: 'complete' | 'partial';
  counts: IngestCounts;
  error?: string;
  /** Wall time. */
  ms: number;
}

/** Progress of a running job. */
export interface IngestProgress {
  counts: IngestCounts;
  /** How far, for people: `12.3 of 80 MB`, `back to 2025-03-01`. */
  position?: string;
}

export class InvalidSourceError extends Error {
  override name = 'InvalidSourceError';
}

export const INGEST_QUEUE = 'ingest';

/** Prefix and UUID: the name of a file that holds what came by standard input. */
export const SPOOL_PREFIX = 'covey-stdin-';
export const SPOOL_FILE = /^covey-stdin-[0-9a-f-]{36}$/;

/** Queues a source. While the same one waits or runs, this gives back the job that does it. */
export async function addIngestJob(jobs: Jobs, source: IngestSource): Promise<string> {
  const canonical = JSON.stringify(Object.entries(source).sort(([a], [b]) => (a < b ? -1 : 1)));
  const key = createHash('sha256').update(canonical).digest('hex').slice(0, 32);
  return await jobs.add(INGEST_QUEUE, source, { key });
}

/** The source in job data. @throws InvalidSourceError that says what is wrong; trying again can't cure it. */
export function parseIngestSource(value: unknown): IngestSource {
  if (typeof value !== 'object' || value === null) throw new InvalidSourceError('a source is an object');
  const source = value as Record<string, unknown>;
  const path = source['path'];
  switch (source['type']) {
    case 'events':
    case 'edges':
      if (typeof path !== 'string' || !isAbsolute(path))
        throw new InvalidSourceError(`the path of a source must be absolute, not ${JSON.stringify(path)}`);
      break;
    case 'relay':
      if (typeof source['url'] !== 'string') throw new InvalidSourceError('a relay source needs a url');
      break;
    case 'snapshot':
    case 'set-aside':
      break;
    default:
      throw new InvalidSourceError(`${JSON.stringify(source['type'])} is not a type of source`);
  }
  if ((source['type'] === 'snapshot' || source['type'] === 'edges') && source['unsigned'] !== true)
    throw new InvalidSourceError(
      'this source has no signatures, so nobody can check it; give --unsigned to take it all the same (signed lists always win over it)',
    );
  return source as unknown as IngestSource;
}

/** The source for people and for the `source` column. */
export function sourceLabel(source: IngestSource): string {
  switch (source.type) {
    case 'events':
    case 'edges':
      return source.temporary ? `${source.type}: standard input` : `${source.type}: ${source.path}`;
    case 'relay':
      return source.url;
    case 'snapshot':
      return 'nostr-social-graph';
    case 'set-aside':
      return 'set aside';
  }
}

export function emptyCounts(): IngestCounts {
  return {
    read: 0,
    accepted: 0,
    replaced: 0,
    duplicate: 0,
    stale: 0,
    yields: 0,
    rejected: {},
    follows: 0,
    privateRelayUrls: 0,
    crowdedSeconds: 0,
    changed: 0,
  };
}
