import type { Enforcer } from '@covey/enforcement';
import type { NostrEvent } from '@covey/nostr';
import { Departures } from './members/departures.ts';
import { HandOver } from './members/hand-over.ts';
import type { MemberLinks } from './members/member-links.ts';
import type { MemberStore } from './store/member-store.ts';

/** How often what is no longer placed here is looked for. */
const DEPARTURES_MS = 600_000;
/** Entries moved in one transaction when a new table changes where they go. */
const REROUTE_BATCH = 500;
/** Events of a lost member passed on in one transaction. */
const PASS_ON_BATCH = 200;
const HAND_OVER_RETRY_MS = 60_000;

export interface RearrangementOptions {
  store: MemberStore;
  links: MemberLinks;
  /** By the table of this moment. */
  enforcer: () => Enforcer;
  /** Half of it may be taken by what is handed over. */
  spoolPerMemberMax: number;
  /** What is no longer placed here leaves so long after it was handed over. */
  graceMs: number;
  /** Unix milliseconds. */
  clock: () => number;
  onRerouted: () => void;
  onDeparted: (events: number) => void;
  log: { info(fields: object, text: string): void; error(fields: object, text: string): void };
}

/** What a new table does to what is stored and spooled here: one piece of work after the other. */
export class Rearrangement {
  readonly #options: RearrangementOptions;
  #work: Promise<void> = Promise.resolve();
  #departuresTimer: NodeJS.Timeout | undefined;
  #handOverTimer: NodeJS.Timeout | undefined;
  /** A rearrangement is asked for and has not begun. */
  #isWaiting = false;
  #stopped = false;

  constructor(options: RearrangementOptions) {
    this.#options = options;
  }

  start(): void {
    this.#departuresTimer = setInterval(() => this.#next(() => this.#depart()), DEPARTURES_MS);
    this.#departuresTimer.unref();
  }

  /** Under a new table, and again for what was written while it came. */
  begin(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#next(async () => {
      this.#isWaiting = false;
      await this.#rearrange();
    });
  }

  /** Runs the removal of what has left its place now, and not in ten minutes. */
  async departNow(): Promise<void> {
    this.#next(() => this.#depart());
    await this.#work;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#departuresTimer);
    clearTimeout(this.#handOverTimer);
    await this.#work;
  }

  #next(work: () => Promise<void>): void {
    this.#work = this.#work
      .then(work)
      .catch((error) =>
        this.#options.log.error(
          { error: String(error) },
          'what moved could not be rearranged for the new table',
        ),
      );
  }

  /** What waits goes where the new table says; what was taken without a table gets its copies. */
  async #rearrange(): Promise<void> {
    const { store, clock, onRerouted } = this.#options;
    const enforcer = this.#options.enforcer();
    const members = enforcer.table?.members ?? [];
    const place = (event: Parameters<Enforcer['placesOf']>[0]) =>
      enforcer.placesOf(event).map((index) => members[index]!.id);
    for (const member of store.spool.members)
      for (let after: number | undefined = 0; after !== undefined && !this.#stopped; )
        after = await store.spool.reroute(member, after, REROUTE_BATCH, place, clock());
    while (!this.#stopped && (await store.events.placeUnplaced(REROUTE_BATCH, place)) > 0);
    onRerouted();
    await this.#handOver(enforcer);
  }

  #isCurrent(enforcer: Enforcer): boolean {
    return !this.#stopped && this.#options.enforcer() === enforcer;
  }

  /** A death changes nothing of what is handed over. */
  #hasTable({ table }: Enforcer): boolean {
    return !this.#stopped && this.#options.enforcer().table === table;
  }

  /** Accounts that are no longer held here go to their holders; what finds no room in the spool is tried again later. */
  async #handOver(enforcer: Enforcer): Promise<void> {
    if (enforcer.mode === 'observe') return;
    const { store, spoolPerMemberMax, log } = this.#options;
    const epoch = enforcer.table?.epoch;
    const { accounts, events, postponed } = await new HandOver({
      clock: this.#options.clock,
      store: store.events,
      spool: store.spool,
      roomMax: Math.ceil(spoolPerMemberMax / 2),
    }).run(enforcer, () => this.#hasTable(enforcer));
    if (events > 0) log.info({ accounts, events, postponed, epoch }, 'handed over what moved away');
    if (postponed === 0 || !this.#hasTable(enforcer)) return;
    clearTimeout(this.#handOverTimer);
    this.#handOverTimer = setTimeout(() => {
      if (this.#hasTable(enforcer)) this.#next(() => this.#handOver(this.#options.enforcer()));
    }, HAND_OVER_RETRY_MS);
    this.#handOverTimer.unref();
  }

  /** What the table took from this member leaves, when its new holders have it. */
  async #depart(): Promise<void> {
    const { store, links, clock, graceMs, onDeparted, log } = this.#options;
    const enforcer = this.#options.enforcer();
    if (enforcer.mode === 'observe' || !enforcer.table) return;
    const left = await new Departures({ store: store.events, links, clock, graceMs }).run(enforcer, () =>
      this.#isCurrent(enforcer),
    );
    onDeparted(left);
    if (left > 0)
      log.info({ events: left, epoch: enforcer.table.epoch }, 'what is no longer placed here has left');
  }

  /** What a member brought that is gone now may not have reached the other holders: they get it from here. */
  passOn(events: readonly NostrEvent[], gone: string): void {
    if (this.#stopped) return;
    const enforcer = this.#options.enforcer();
    const members = enforcer.table?.members ?? [];
    const byHolders = new Map<string, { to: string[]; batch: NostrEvent[] }>();
    for (const event of events) {
      // The dead fetch what they missed when they return.
      const living = enforcer.othersOf(event).filter((index) => !enforcer.isDead(index));
      const to = living.map((index) => members[index]!.id).filter((id) => id !== gone);
      const known = byHolders.get(to.join());
      if (known) known.batch.push(event);
      else if (to.length > 0) byHolders.set(to.join(), { to, batch: [event] });
    }
    // At once: a hand-over may take minutes, and these may be the second copies.
    this.#passOnTo([...byHolders.values()]).catch((error) =>
      this.#options.log.error({ error: String(error) }, 'what a lost member brought was not passed on'),
    );
  }

  async #passOnTo(holders: readonly { to: string[]; batch: NostrEvent[] }[]): Promise<void> {
    const { events } = this.#options.store;
    for (const { to, batch } of holders)
      for (let from = 0; from < batch.length && !this.#stopped; from += PASS_ON_BATCH)
        await events.handOver(batch.slice(from, from + PASS_ON_BATCH), to);
  }
}
