import { isPrivateRelayUrl, normalizeRelayUrl } from '@covey/nostr';
import type { Mirrored } from '@covey/protocol';
import { KEY_BYTES } from '@covey/table';

/** Write relays of an account that are told; NIP-65 asks for two to four. */
const RELAYS_MAX = 4;
/** What a member mirrors is void when it was not said again for this long. */
export const MIRRORED_MS_MAX = 120_000;

/** An account's own relay list, as the coordinator took it in. */
export interface OwnRelayList {
  /** 32 bytes. */
  pubkey: Uint8Array;
  /** URLs that it writes to. */
  write: readonly string[];
}

/** What a plan says of the keys that were asked for, by index. A key that stands in neither list is native. */
export interface PlanOrigins {
  mirrored: { since: number; pubkeys: number[] }[];
  external: { url: string; pubkeys: number[] }[];
}

/**
 * Where accounts write themselves: natively at members, or elsewhere, and then whether a member mirrors them. From the
 * coordinator's database and from what members say; the placement of an account never depends on it.
 */
export class AccountOrigins {
  readonly #clock: () => number;
  /** External accounts by key bytes (as Latin-1 text, which is fast to make), their relays as numbers. */
  #external = new Map<string, readonly number[]>();
  #urls: readonly string[] = [];
  #isKnown = false;
  readonly #mirrored = new Map<string, { atMs: number; since: Map<string, number> }>();

  /** @param clock Unix milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Whether relay lists were read: without them, nobody can be told to be external. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get externalAccounts(): number {
    return this.#external.size;
  }

  /** External accounts by key (32 bytes), with the relays that they write to. */
  *external(): Generator<{ key: Uint8Array; write: string[] }> {
    for (const [key, urls] of this.#external)
      yield { key: Buffer.from(key, 'latin1'), write: urls.map((url) => this.#urls[url]!) };
  }

  /** Rises with every reading. */
  version = 0;

  /** Takes over a new reading of all lists. Who names a member, or no relay that can be opened, is native. */
  replace(reading: OriginsReading): void {
    this.version++;
    this.#external = reading.external;
    this.#urls = reading.urls;
    this.#isKnown = true;
  }

  /** @param isMember whether it is a member of the current table: others are not heard */
  mirrored({ member, accounts }: Mirrored, isMember: boolean): void {
    if (!isMember) return;
    const since = new Map(accounts.map(([key, at]) => [Buffer.from(key, 'hex').toString('latin1'), at]));
    this.#mirrored.set(member, { atMs: this.#clock(), since });
  }

  /** Forgets what others than these members said. */
  retain(members: ReadonlySet<string>): void {
    for (const member of this.#mirrored.keys()) if (!members.has(member)) this.#mirrored.delete(member);
  }

  /**
   * @param keys 32 bytes each
   * @param master id of the member whose word counts for the key with this index: it is the one that mirrors
   */
  of(keys: Uint8Array, master: (index: number) => string): PlanOrigins {
    const mirrored = new Map<number, number[]>();
    const external = new Map<number, number[]>();
    if (this.#external.size > 0 || this.#mirrored.size > 0) {
      const bytes = Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength);
      const freshMs = this.#clock() - MIRRORED_MS_MAX;
      const add = (lists: Map<number, number[]>, name: number, index: number) => {
        const list = lists.get(name);
        if (list) list.push(index);
        else lists.set(name, [index]);
      };
      for (let i = 0; i * KEY_BYTES < bytes.length; i++) {
        const key = bytes.toString('latin1', i * KEY_BYTES, (i + 1) * KEY_BYTES);
        const said = this.#mirrored.size > 0 ? this.#mirrored.get(master(i)) : undefined;
        const since = said && said.atMs >= freshMs ? said.since.get(key) : undefined;
        if (since !== undefined) add(mirrored, since, i);
        else for (const url of this.#external.get(key) ?? []) add(external, url, i);
      }
    }
    return {
      mirrored: [...mirrored].map(([since, pubkeys]) => ({ since, pubkeys })),
      external: [...external]
        .map(([url, pubkeys]) => ({ url: this.#urls[url]!, pubkeys }))
        .sort((a, b) => b.pubkeys.length - a.pubkeys.length || (a.url < b.url ? -1 : 1)),
    };
  }
}

/** One reading of all relay lists, gathered page by page. */
export class OriginsReading {
  readonly external = new Map<string, readonly number[]>();
  readonly urls: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #members: ReadonlySet<string>;
  readonly #allowPrivate: boolean;

  /** @param members URLs of the current table; a cluster on private addresses may name private relays */
  constructor(members: readonly string[]) {
    this.#members = new Set(members.map(normalizeRelayUrl));
    this.#allowPrivate = members.some(isPrivateRelayUrl);
  }

  add({ pubkey, write }: OwnRelayList): void {
    if (write.some((url) => this.#members.has(url))) return;
    const urls = write.filter((url) => this.#allowPrivate || !isPrivateRelayUrl(url)).slice(0, RELAYS_MAX);
    if (urls.length > 0)
      this.external.set(
        Buffer.from(pubkey).toString('latin1'),
        urls.map((url) => this.#number(url)),
      );
  }

  #number(url: string): number {
    let number = this.#numbers.get(url);
    if (number === undefined) {
      number = this.urls.push(url) - 1;
      this.#numbers.set(url, number);
    }
    return number;
  }
}
