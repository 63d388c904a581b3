/** Subscriptions that a relay is taken to allow when its information document does not say: strfry's default. */
const SUBSCRIPTIONS_MAX = 20;
const NEGENTROPY = 77;

/**
 * A member that is no reference member: a relay that an operator already runs (strfry or any other), with a gateway beside
 * it. It is written to and read from as by any client, within the subscriptions that it allows: half of them for what is
 * new, the rest for what is stored.
 */
export class PlainRelay {
  /** It can compare what it holds (NIP-77). */
  readonly compares: boolean;
  readonly #max: number;
  #live = 0;
  #fetching = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param information its NIP-11 document, trusted in nothing */
  constructor(information: Record<string, unknown>) {
    const { supported_nips: nips, limitation } = information;
    this.compares = Array.isArray(nips) && nips.includes(NEGENTROPY);
    const told = Number((limitation as { max_subscriptions?: unknown } | null)?.max_subscriptions);
    const most = Number.isInteger(told) && told > 0 ? Math.min(told, 1000) : SUBSCRIPTIONS_MAX;
    this.#max = Math.max(1, Math.floor(most / 2));
  }

  /** @returns what gives the place back; undefined when there is none */
  takeLive(): (() => void) | undefined {
    if (this.#live >= this.#max) return undefined;
    this.#live++;
    let taken = true;
    return () => {
      if (taken) this.#live--;
      taken = false;
    };
  }

  /** Runs one fetch when there is room for it. */
  async fetch<T>(run: () => Promise<T>): Promise<T> {
    if (this.#fetching >= this.#max) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#fetching++;
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#fetching--;
    }
  }
}
