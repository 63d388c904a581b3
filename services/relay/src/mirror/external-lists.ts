import { isHex64, normalizeRelayUrl } from '@covey/nostr';

const ANSWER_MS_MAX = 20_000;
/** 5,000 accounts with four relays each, and air. */
const BYTES_MAX = 4 * 1024 * 1024;
const RELAYS_MAX = 4;
/** Between two questions; a failed one is asked again sooner. */
const ASK_MS = 15 * 60_000;
const RETRY_MS = 30_000;

/** An account's write relays as the coordinator knows them: a hint, as it is not signed. */
export interface ExternalAccount {
  pubkey: string;
  write: readonly string[];
}

export interface ExternalListsOptions {
  /** Base URL of the cluster's API. */
  apiUrl: string;
  /** This member's id. */
  self: string;
  accountsMax: number;
  /** Unix milliseconds. */
  clock: () => number;
  log: { info(fields: object, text: string): void; debug(fields: object, text: string): void };
}

/**
 * External accounts whose master this member is, as the cluster's API lists them: their own relay lists may never have been
 * published to the cluster. With the API gone the last answer counts.
 */
export class ExternalLists {
  readonly #options: ExternalListsOptions;
  #accounts: readonly ExternalAccount[] = [];
  #epoch = -1;
  #askAtMs = 0;

  constructor(options: ExternalListsOptions) {
    this.#options = options;
  }

  /** What is known now; asks when the last answer is old, or of another epoch. Never rejects. */
  async read(epoch: number): Promise<readonly ExternalAccount[]> {
    const { clock, log } = this.#options;
    if (clock() < this.#askAtMs && epoch === this.#epoch) return this.#accounts;
    try {
      this.#accounts = await this.#ask();
      this.#epoch = epoch;
      this.#askAtMs = clock() + ASK_MS;
    } catch (error) {
      this.#epoch = epoch;
      this.#askAtMs = clock() + RETRY_MS;
      log.debug({ error: String(error) }, 'the api did not say which accounts are external');
    }
    return this.#accounts;
  }

  async #ask(): Promise<ExternalAccount[]> {
    const { apiUrl, self, accountsMax } = this.#options;
    const url = `${apiUrl.replace(/\/$/, '')}/v1/members/${self}/external?limit=${accountsMax}`;
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > BYTES_MAX) throw new Error(`${url} sends over ${BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
    return readExternalAccounts(JSON.parse(Buffer.concat(chunks).toString()), accountsMax);
  }
}

/** What is well-formed of an answer, no more than `max` accounts. */
export function readExternalAccounts(answer: unknown, max: number): ExternalAccount[] {
  const { accounts } = (answer ?? {}) as { accounts?: unknown };
  if (!Array.isArray(accounts)) throw new Error('the answer has no accounts');
  return accounts.slice(0, max).flatMap((account) => {
    const { pubkey, write } = (account ?? {}) as { pubkey?: unknown; write?: unknown };
    if (!isHex64(pubkey) || !Array.isArray(write)) return [];
    const urls = write.slice(0, RELAYS_MAX).flatMap((url) => {
      const normal = typeof url === 'string' ? readUrl(url) : undefined;
      return normal === undefined ? [] : [normal];
    });
    return urls.length > 0 ? [{ pubkey, write: urls }] : [];
  });
}

function readUrl(text: string): string | undefined {
  try {
    return normalizeRelayUrl(text);
  } catch {
    return undefined;
  }
}
