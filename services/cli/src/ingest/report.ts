import type { IngestCounts, IngestProgress } from '@covey/jobs';
import { alignColumns } from '../api-client.ts';

/** How one source ended, as a person or a program sees it. */
export interface SourceOutcome {
  source: string;
  /** `failed`: given up; its counts are what it had done by then. */
  state: 'complete' | 'partial' | 'failed';
  counts: IngestCounts | null;
  error?: string;
  job?: string;
  ms?: number;
}

const ROWS: readonly [keyof IngestCounts, string][] = [
  ['accepted', 'accepted'],
  ['replaced', '  of these, replaced an older one'],
  ['duplicate', 'known already'],
  ['stale', 'older than the one that stands'],
  ['yields', 'unsigned where a signed one stands'],
];

/** The table at the end of a run. */
export function describeOutcome({ source, state, counts, error, ms, job }: SourceOutcome): string {
  const seconds = ms === undefined ? '' : ` in ${(ms / 1000).toFixed(1)} s`;
  const lines = [`${source}: ${state}${seconds}`];
  if (counts) {
    const n = (value: number) => value.toLocaleString('en');
    const rows: [string, string][] = [['read', n(counts.read)]];
    for (const [field, label] of ROWS) if (counts[field]) rows.push([label, n(counts[field] as number)]);
    for (const [reason, count] of Object.entries(counts.rejected)) {
      const label = reason === 'future' ? 'set aside: dated in the future' : `rejected: ${reason}`;
      rows.push([label, n(count)]);
    }
    rows.push(['follows accepted', n(counts.follows)]);
    if (counts.privateRelayUrls)
      rows.push(['relay URLs left out: private network', n(counts.privateRelayUrls)]);
    if (counts.crowdedSeconds) rows.push(['seconds with more events than a page', n(counts.crowdedSeconds)]);
    const width = Math.max(...rows.map(([, value]) => value.length));
    lines.push(alignColumns(rows.map(([label, value]) => [`  ${label}`, value.padStart(width)])));
  }
  if (error) lines.push(`  ${error}`);
  if (state === 'failed' && job) lines.push(`  try it again with: covey jobs retry ${job}`);
  return lines.join('\n');
}

/** One line while it runs. */
export function progressLine(source: string, { counts, position }: IngestProgress): string {
  const rejected = Object.values(counts.rejected).reduce((sum, count) => sum + count, 0);
  const parts = [`${counts.read} read`, `${counts.accepted} accepted`, `${rejected} rejected`];
  return `${source}: ${parts.join(', ')}${position ? ` (${position})` : ''}`;
}

/** Whether the source gave anything that Covey could use. */
export function usable({ state, counts }: SourceOutcome): boolean {
  if (state !== 'complete' || !counts) return false;
  return counts.read === 0 || counts.accepted + counts.duplicate + counts.stale + counts.yields > 0;
}
