import type { Ask, Enforcer } from '@covey/enforcement';
import { type Filter, matchesFilter, type NostrEvent } from '@covey/nostr';
import type { MemberLink } from './member-link.ts';
import type { MemberLinks } from './member-links.ts';
import { type Upstreams, UpstreamsFullError } from './upstreams.ts';

const ATTEMPT_MS_MAX = 2000;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 30_000;
const FULL_RETRY_MS = 5000;
/** On taking up a live feed again, events this far back are asked for as well. */
const OVERLAP_SECONDS = 60;

/** A filter narrowed to keys that live at the same members. */
export interface RemotePart {
  filter: Filter;
  /** Which of the subscription's filters it is of: each has a limit of its own. */
  of: number;
  /** Member ids, the one to ask first at the front. */
  candidates: readonly string[];
}
type Part = RemotePart;

export interface RemoteFeedOptions {
  links: MemberLinks;
  upstreams: Upstreams;
  /** Unix milliseconds. */
  clock: () => number;
  /** Called with every event that arrives after `read` gave its answer. */
  onEvent: (event: NostrEvent) => void;
}

export interface RemoteReading {
  events: NostrEvent[];
  /** Everything that was asked for came, and nothing more is stored there; undefined when a member did not say. */
  complete: boolean | undefined;
  /** Keys (accounts) that no member could be reached for in time. */
  unreachedKeys: number;
  /** Keys whose copies that can be reached are all being filled: they may lack something. */
  fillingKeys: number;
}

/**
 * One client subscription's part that lives at other members: what they have stored, then what is new. A part whose member
 * can't be reached is asked of the next one that holds a copy; when none is left it is tried again for as long as the
 * subscription lives, and what it then gives is delivered late rather than never.
 */
export class RemoteFeed {
  readonly #options: RemoteFeedOptions;
  readonly #parts: Part[];
  readonly #stops = new Set<() => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #reading: NostrEvent[] | undefined = [];
  #complete: boolean | undefined = true;
  #closed = false;
  #fillingKeys = 0;

  constructor(parts: readonly Part[], options: RemoteFeedOptions) {
    this.#parts = [...parts];
    this.#options = options;
  }

  /**
   * What other members have stored, from one member for each part, within `deadlineMs`. Then the live part goes on by
   * itself until `close`.
   */
  async read(deadlineMs: number): Promise<RemoteReading> {
    const pending = new Set(this.#parts);
    const work = Promise.all(
      this.#assign(this.#parts, new Map()).map(([link, parts]) =>
        this.#serve(link, parts, new Map(), (done) => {
          for (const part of done) pending.delete(part);
        }),
      ),
    );
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      work,
      new Promise((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      }),
    ]);
    clearTimeout(timer);
    const events = this.#reading ?? [];
    this.#reading = undefined;
    const unreachedKeys = [...pending].reduce((sum, part) => sum + keysOf(part.filter), 0);
    const complete = pending.size > 0 ? false : this.#complete;
    return { events, complete, unreachedKeys, fillingKeys: this.#fillingKeys };
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#stops.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Parts by the member to ask: the first candidate not tried yet that looks healthy, else the first not tried. */
  #assign(parts: readonly Part[], tried: ReadonlyMap<Part, ReadonlySet<string>>): [MemberLink, Part[]][] {
    const byLink = new Map<MemberLink, Part[]>();
    for (const part of parts) {
      const open = part.candidates.filter((member) => !tried.get(part)?.has(member));
      const links = open
        .map((member) => this.#options.links.get(member))
        .filter((link) => link !== undefined);
      const link = links.find((candidate) => candidate.healthy) ?? links[0];
      if (!link) continue;
      const list = byLink.get(link);
      if (list) list.push(part);
      else byLink.set(link, [part]);
    }
    return [...byLink];
  }

  /** Asks one member for these parts; on failure the next one for each. Settles when all were answered or given up. */
  async #serve(
    link: MemberLink,
    parts: Part[],
    tried: Map<Part, Set<string>>,
    onDone: (parts: readonly Part[]) => void,
    since?: number,
  ): Promise<void> {
    if (this.#closed) return;
    const { clock, upstreams } = this.#options;
    const filters = mergeParts(parts, since);
    const startedAt = clock();
    try {
      const stop = await this.#listen(link, parts, filters, startedAt);
      if (this.#closed) return stop();
      this.#stops.add(stop);
      try {
        const stored = filters.filter((filter) => filter.limit !== 0);
        if (stored.length > 0) {
          const answer = await upstreams.fetch(link, stored, ATTEMPT_MS_MAX);
          this.#take(answer.events.filter((event) => stored.some((filter) => matchesFilter(filter, event))));
          if (answer.filling) {
            // It has not all yet: who else holds a copy is asked as well.
            for (const part of parts) tried.set(part, (tried.get(part) ?? new Set()).add(link.id));
            const next = this.#assign(parts, tried);
            await Promise.all(next.map(([other, list]) => this.#serve(other, list, tried, onDone, since)));
            const left = parts.filter((part) => !next.some(([, list]) => list.includes(part)));
            if (left.length === 0) return;
            this.#complete = false;
            this.#fillingKeys += left.reduce((sum, part) => sum + keysOf(part.filter), 0);
            onDone(left);
            return;
          }
          if (answer.complete === false) this.#complete = false;
          else if (answer.complete === undefined && this.#complete) this.#complete = undefined;
        }
      } catch (error) {
        this.#stops.delete(stop);
        stop();
        throw error;
      }
      onDone(parts);
    } catch {
      if (this.#closed) return;
      for (const part of parts) tried.set(part, (tried.get(part) ?? new Set()).add(link.id));
      const next = this.#assign(parts, tried);
      const left = parts.filter((part) => !next.some(([, list]) => list.includes(part)));
      if (left.length > 0) this.#retryLater(left, since, RETRY_MS_MIN);
      await Promise.all(next.map(([other, list]) => this.#serve(other, list, tried, onDone, since)));
    }
  }

  async #listen(
    link: MemberLink,
    parts: Part[],
    filters: readonly Filter[],
    startedAtMs: number,
  ): Promise<() => void> {
    const nowSeconds = Math.floor(startedAtMs / 1000);
    const live = filters.filter((filter) => filter.until === undefined || filter.until >= nowSeconds);
    if (live.length === 0) return () => {};
    let stopped = false;
    const listening = this.#options.upstreams.listen(link, live, {
      onEvent: (event) => {
        if (!stopped && live.some((filter) => matchesFilter(filter, event))) this.#take([event]);
      },
      onLost: () => {
        if (stopped || this.#closed) return;
        stopped = true;
        // Another copy takes over, and fills the gap from shortly before the loss.
        this.#retryLater(parts, Math.floor(this.#options.clock() / 1000) - OVERLAP_SECONDS, 50);
      },
    });
    const stop = await listening.catch((error) => {
      if (!(error instanceof UpstreamsFullError)) throw error;
      // What is stored can be had; what is new comes later, and in bursts, while there is no place.
      this.#retryLater(parts, nowSeconds - OVERLAP_SECONDS, FULL_RETRY_MS);
      return () => {};
    });
    return () => {
      stopped = true;
      stop();
    };
  }

  #retryLater(parts: Part[], since: number | undefined, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#closed) return;
      const assigned = this.#assign(parts, new Map());
      const healthy = assigned.some(([link]) => link.healthy);
      // Nobody to ask: wait longer each time.
      if (!healthy) return this.#retryLater(parts, since, Math.min(ms * 2, RETRY_MS_MAX));
      for (const [link, list] of assigned) void this.#serve(link, list, new Map(), () => {}, since);
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }

  #take(events: readonly NostrEvent[]): void {
    if (this.#closed) return;
    if (this.#reading) for (const event of events) this.#reading.push(event);
    else for (const event of events) this.#options.onEvent(event);
  }
}

function keysOf(filter: Filter): number {
  return filter.authors?.length ?? filter.tags['p']?.length ?? filter.tags['t']?.length ?? 0;
}

/** The filters to send for these parts: parts of the same filter become one. */
function mergeParts(parts: readonly Part[], since: number | undefined): Filter[] {
  const merged = new Map<number, Filter>();
  for (const { filter, of } of parts) {
    const { authors, tags, ...rest } = filter;
    const { p: tagged, t: hashtags, ...otherTags } = tags;
    const known = merged.get(of);
    const join = (a: string[] | undefined, b: string[] | undefined) => [
      ...new Set([...(a ?? []), ...(b ?? [])]),
    ];
    merged.set(of, {
      ...rest,
      ...(authors ? { authors: join(known?.authors, authors) } : {}),
      tags: {
        ...otherTags,
        ...(tagged ? { p: join(known?.tags['p'], tagged) } : {}),
        ...(hashtags ? { t: join(known?.tags['t'], hashtags) } : {}),
      },
      ...(since === undefined ? {} : { since: Math.max(since, filter.since ?? 0) }),
    });
  }
  return [...merged.values()];
}

/** What of a subscription's filters lives elsewhere, and whether an answer from here can be whole. */
export function remoteParts(
  enforcer: Enforcer,
  filters: readonly Filter[],
): { parts: Part[]; open: boolean } {
  const parts: Part[] = [];
  let open = false;
  const members = enforcer.table?.members ?? [];
  filters.forEach((filter, of) => {
    const route = enforcer.route(filter);
    open ||= route.open;
    for (const ask of route.asks)
      parts.push({ filter: narrow(filter, ask), of, candidates: ask.candidates.map((i) => members[i]!.id) });
  });
  return { parts, open };
}

function narrow(filter: Filter, ask: Ask): Filter {
  if (ask.by === 'authors') return { ...filter, authors: ask.keys };
  return { ...filter, tags: { ...filter.tags, [ask.by]: ask.keys } };
}
