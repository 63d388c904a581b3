import { randomBytes } from 'node:crypto';
import { checkAuth, RefusedAuthError } from './auth.ts';
import type { Outbound } from './outbound.ts';
import { ReaderRights } from './reader-rights.ts';
import type { SessionContext } from './session-context.ts';

/** Pubkeys that one connection may authenticate. */
const KEYS_MAX = 16;
const NONE: ReadonlySet<string> = new Set();

/** Who a connection has proved to be (NIP-42), and what that lets it read. */
export class ProvenKeys {
  readonly #context: SessionContext;
  readonly #outbound: Outbound;
  // Most connections never prove anything: what only proofs need is made when they come.
  #keys: Set<string> | undefined;
  #challenge: string | undefined;
  #rights: ReaderRights | undefined;

  constructor(context: SessionContext, outbound: Outbound) {
    this.#context = context;
    this.#outbound = outbound;
  }

  get keys(): ReadonlySet<string> {
    return this.#keys ?? NONE;
  }

  get #toBeSigned(): string {
    this.#challenge ??= randomBytes(16).toString('hex');
    return this.#challenge;
  }

  get #readerRights(): ReaderRights {
    this.#rights ??= new ReaderRights(this.#context.authKinds, () => this.keys);
    return this.#rights;
  }

  /** Id of the member that this connection has proved to be, under the table of this moment. */
  get member(): string | undefined {
    for (const key of this.keys) if (this.#context.links.has(key)) return key;
    return undefined;
  }

  /**
   * Says what is to be signed: when it would help, and not at once, as some clients wait for a signature before they take an
   * EOSE, or ask their user for one.
   */
  challenge(): void {
    this.#outbound.send(JSON.stringify(['AUTH', this.#toBeSigned]));
  }

  /** Takes the event of an AUTH message. @throws RefusedAuthError */
  prove(value: unknown): void {
    const { clock, links, relayUrl } = this.#context;
    const now = Math.floor(clock() / 1000);
    const { pubkey } = checkAuth(value, this.#toBeSigned, relayUrl(), now, (key) => links.has(key));
    this.#keys ??= new Set();
    if (this.#keys.size >= KEYS_MAX)
      throw new RefusedAuthError(`restricted: ${KEYS_MAX} keys are authenticated on this connection`);
    this.#keys.add(pubkey);
    links.heard(pubkey);
  }

  /** What this connection may read; undefined for everything. Members ask for their clients, and do the withholding. */
  get mayRead(): ((json: string) => boolean) | undefined {
    return this.member || this.#context.authKinds.size === 0 ? undefined : this.#readerRights.mayRead;
  }

  /** Why filters ask for what this connection may not read; undefined when it may. A challenge goes out when it would help. */
  refusal(filters: Parameters<ReaderRights['refusal']>[0]): string | undefined {
    const reason = this.member ? undefined : this.#readerRights.refusal(filters);
    if (reason?.startsWith('auth-required:') || this.#withholds(filters)) this.challenge();
    return reason;
  }

  /** Some of what is asked for by kind would be served to another reader. */
  #withholds(filters: Parameters<ReaderRights['refusal']>[0]): boolean {
    return this.keys.size === 0 && this.#readerRights.concerns(filters);
  }
}
