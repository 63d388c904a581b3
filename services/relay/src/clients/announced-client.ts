import { hash } from 'node:crypto';
import type { Enforcer } from '@covey/enforcement';
import type { Filter } from '@covey/nostr';
import {
  type ClientOptions,
  type ClusterField,
  elsewhereFrame,
  leavingFrame,
  movedFrame,
  redirectMessage,
} from '@covey/protocol';
import { closed } from '../frames.ts';
import type { Outbound } from '../outbound.ts';
import { ByteAllowance } from './byte-allowance.ts';
import type { EventBatches } from './event-batches.ts';
import { AnnouncedOutput } from './event-output.ts';
import {
  accountsOf,
  accountsWithout,
  elsewhereOf,
  inFrames,
  movedAccounts,
  urlsOf,
} from './placed-accounts.ts';

/** Writers that a connection is told of when they move; the earliest are forgotten first. */
const WRITERS_MAX = 64;

/** Never an empty feed where nothing can be had. */
const UNAVAILABLE = 'error: no relay that holds these accounts can be reached now; ask again later';

interface OpenSubscription {
  readonly id: string;
  readonly filters: readonly Filter[];
}

/** A connection's client that said it understands placement: what it asked for, and what it was told. */
export class AnnouncedClient {
  readonly options: ClientOptions;
  readonly #outbound: Outbound;
  readonly #batches: EventBatches;
  readonly #allowance: ByteAllowance | undefined;
  readonly #writers = new Set<string>();
  /** What of each subscription was said to be elsewhere, as a digest: with thousands of authors it is long. */
  readonly #named = new Map<string, string>();
  /** By what the client was told so far. */
  #enforcer: Enforcer;

  /** @param clock Unix milliseconds */
  constructor(
    options: ClientOptions,
    outbound: Outbound,
    batches: EventBatches,
    enforcer: Enforcer,
    clock: () => number,
  ) {
    this.options = options;
    this.#outbound = outbound;
    this.#batches = batches;
    this.#enforcer = enforcer;
    this.#allowance = options.bytesPerMinute ? new ByteAllowance(options.bytesPerMinute, clock) : undefined;
  }

  /** Filters with `kinds` cut down to what the device wants; asked by id, it wants what it asks for. */
  narrow(filters: readonly Filter[]): readonly Filter[] {
    const { kinds } = this.options;
    if (!kinds) return filters;
    return filters.map((filter) =>
      filter.ids
        ? filter
        : { ...filter, kinds: filter.kinds?.filter((kind) => kinds.includes(kind)) ?? [...kinds] },
    );
  }

  outputFor(subscription: string, filters: readonly Filter[]): AnnouncedOutput {
    return new AnnouncedOutput({
      subscription,
      outbound: this.#outbound,
      options: this.options,
      batches: this.#batches,
      allowance: this.#allowance,
      whole: filters.every((filter) => filter.ids !== undefined),
    });
  }

  wrote(pubkey: string): void {
    this.#writers.delete(pubkey);
    this.#writers.add(pubkey);
    if (this.#writers.size > WRITERS_MAX) this.#writers.delete(this.#writers.values().next().value!);
  }

  /**
   * Names what of a subscription lives elsewhere, when it was not named so already.
   * @returns `all`: nothing is served here, and CLOSED was sent; `some`; or `none`
   */
  name({ id, filters }: OpenSubscription, enforcer: Enforcer): 'none' | 'some' | 'all' {
    if (!this.options.redirects) return 'none';
    const { accounts, all } = elsewhereOf(enforcer, filters);
    const digest = accounts.length > 0 ? hash('sha1', JSON.stringify(accounts), 'base64') : undefined;
    if (digest !== undefined && (all || this.#named.get(id) !== digest))
      this.#outbound.send(elsewhereFrame(id, { epoch: enforcer.table?.epoch ?? 0, accounts }));
    if (digest === undefined || all) this.#named.delete(id);
    else this.#named.set(id, digest);
    if (!all) return digest === undefined ? 'none' : 'some';
    const urls = urlsOf(accounts);
    this.#outbound.send(closed(id, urls.length > 0 ? redirectMessage(urls) : UNAVAILABLE));
    return 'all';
  }

  forget(subscription: string): void {
    this.#named.delete(subscription);
  }

  /** Tells which of the accounts that it reads or writes here have other relays under the new table or verdicts. */
  tellMoved(
    subscriptions: Iterable<OpenSubscription>,
    keys: Iterable<string>,
    enforcer: Enforcer,
    { epoch, manifest, verdicts }: ClusterField,
  ): void {
    const before = this.#enforcer;
    this.#enforcer = enforcer;
    if (before === enforcer) return;
    const moved = movedAccounts(before, enforcer, this.#accounts(subscriptions, keys));
    const now = { epoch, manifest, ...(verdicts ? { verdicts } : {}) };
    for (const accounts of inFrames(moved)) this.#outbound.send(movedFrame({ ...now, accounts }));
  }

  /** Tells where to go on with what it reads and writes here. */
  tellLeaving(
    subscriptions: Iterable<OpenSubscription>,
    keys: Iterable<string>,
    enforcer: Enforcer,
    self: string,
  ): void {
    const epoch = enforcer.table?.epoch ?? 0;
    const left = accountsWithout(enforcer, self, this.#accounts(subscriptions, keys));
    for (const accounts of inFrames(left)) this.#outbound.send(leavingFrame({ epoch, accounts }));
    if (left.length === 0) this.#outbound.send(leavingFrame({ epoch, accounts: [] }));
  }

  #accounts(subscriptions: Iterable<OpenSubscription>, keys: Iterable<string>): Set<string> {
    const accounts = new Set([...keys, ...this.#writers]);
    for (const { filters } of subscriptions) for (const key of accountsOf(filters)) accounts.add(key);
    return accounts;
  }
}
