import type { RelayCursor } from '@covey/postgres';
import { SourceBrokenError } from '../source-chunk.ts';
import type { RelayLimits } from './relay-limits.ts';
import type { Page, PageRequest } from './relay-page.ts';

/** Relays take in old events late: a new sweep goes back this far behind the start of the last one, in seconds. */
const OVERLAP_SECONDS = 86_400;
/** How far ahead of the clock a sweep starts, in seconds. */
const AHEAD_SECONDS = 900;

/** One step of a sweep: what a page brought, and where the sweep stands behind it. */
export interface SweepStep {
  /** The messages of the page's events, those left out that the page before had too. */
  messages: Uint8Array[];
  cursor: RelayCursor;
  /** This second may have more events than the relay gives out at a time; they can't be reached. */
  crowdedSecond: boolean;
}

/** The sweep that comes next: the one that was interrupted, or a new one down to where the last complete one began. */
export function nextCursor(
  before: RelayCursor | undefined,
  { url, kind, now }: { url: string; kind: number; now: number },
): RelayCursor {
  if (before && !before.done) return before;
  const top = now + AHEAD_SECONDS;
  const floor = before ? Math.max(0, Math.min(before.sweepTop, now) - OVERLAP_SECONDS) : 0;
  return { url, kind, sweepTop: top, nextUntil: top, floor, done: false };
}

/**
 * Reads back in time, a page at a time. The last second of a page is asked for again with the next, since it may have
 * been cut in two; a second that fills a whole page is asked for in larger pages, and when the relay gives no larger
 * ones it is counted as crowded and passed. So every step moves back, and the sweep ends.
 * @throws SourceBrokenError when the relay does not keep to the filter or to the order, newest first
 */
export async function* sweep(
  ask: (request: PageRequest) => Promise<Page>,
  start: RelayCursor,
  limits: Pick<RelayLimits, 'pageEvents' | 'pageEventsMax'>,
): AsyncGenerator<SweepStep> {
  const { url, kind, floor } = start;
  let until = start.nextUntil;
  let limit = limits.pageEvents;
  let seen = new Set<string>();
  let largestPage = 0;
  while (until >= floor) {
    const page = await ask({ kind, since: floor, until, limit });
    const { events } = page;
    if (events.length === 0) {
      if (page.stray > 0)
        throw new SourceBrokenError(`${url}: it ignores the filter, so it can't be read page by page`, {
          retry: false,
        });
      break;
    }
    const fresh = events.filter(({ id }) => !seen.has(id));
    const messages = fresh.map(({ message }) => message);
    if (events.some(({ createdAt }, i) => i > 0 && createdAt > events[i - 1]!.createdAt)) {
      // They count, but say nothing about what else there is.
      yield { messages, cursor: { ...start, nextUntil: until }, crowdedSecond: false };
      throw new SourceBrokenError(
        `${url}: it does not answer newest first, so it can't be read page by page`,
        {
          retry: false,
        },
      );
    }
    const oldest = events.at(-1)!.createdAt;
    let crowdedSecond = false;
    if (oldest < until) {
      until = oldest;
      limit = limits.pageEvents;
      seen = new Set(events.filter(({ createdAt }) => createdAt === oldest).map(({ id }) => id));
    } else if (limit < limits.pageEventsMax && (fresh.length > 0 || events.length >= limit)) {
      limit = Math.min(limit * 4, limits.pageEventsMax);
      for (const { id } of fresh) seen.add(id);
    } else {
      // Nothing older in this answer: either there is nothing, or this second fills all that the relay gives.
      crowdedSecond = events.length > 1 && events.length >= largestPage;
      until--;
      limit = limits.pageEvents;
      seen = new Set();
    }
    largestPage = Math.max(largestPage, events.length);
    yield { messages, cursor: { ...start, nextUntil: until }, crowdedSecond };
  }
  yield { messages: [], cursor: { ...start, nextUntil: floor, done: true }, crowdedSecond: false };
}
