const WINDOW_MS = 60_000;
/** Addresses counted apart in one window; all further ones share a count. */
const ADDRESSES_MAX = 65_536;

export interface UnknownQuotaOptions {
  /** Events of keys that the table does not list, from one address in a minute; 0: no limit. */
  perMinute: number;
  /** Milliseconds that only rise. */
  clock: () => number;
}

/**
 * How much keys that nobody vouches for may write. Counted by address, for a key costs nothing: IPv4 as it is, IPv6 by its
 * /64. Fixed windows of a minute: twice the quota can fall on two sides of a boundary, which is near enough.
 */
export class UnknownQuota {
  readonly #options: UnknownQuotaOptions;
  readonly #counts = new Map<string, number>();
  #windowStartMs = Number.NEGATIVE_INFINITY;

  constructor(options: UnknownQuotaOptions) {
    this.#options = options;
  }

  get limited(): boolean {
    return this.#options.perMinute > 0;
  }

  /** Counts one event. False when the address has had its share. */
  take(address: string): boolean {
    const now = this.#options.clock();
    if (now - this.#windowStartMs >= WINDOW_MS) {
      this.#counts.clear();
      this.#windowStartMs = now;
    }
    const network = networkOf(address);
    const key = this.#counts.has(network) || this.#counts.size < ADDRESSES_MAX ? network : 'others';
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count <= this.#options.perMinute;
  }
}

/** The first four groups of an IPv6 address; anything else unchanged. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('::', 2);
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(zeros).fill('0'), ...right]
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':');
}
