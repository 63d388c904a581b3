import { KIND } from '@covey/nostr';
import { authorOf } from './answer.ts';
import { accountsOf } from './write-rules.ts';

/**
 * Accounts that asked to vanish (NIP-62) and of which something may still be stored, in memory: from the request on nothing
 * of theirs up to then, nor what is sealed for them, is served; it goes from the disk a batch at a time.
 */
export class Vanishing {
  readonly #until = new Map<string, number>();

  /** @param pending pubkeys, with the time (Unix seconds) up to which what they wrote goes */
  load(pending: Iterable<readonly [pubkey: string, until: number]>): void {
    this.#until.clear();
    for (const [pubkey, until] of pending) this.#until.set(pubkey, until);
  }

  get size(): number {
    return this.#until.size;
  }

  /** One of them; undefined when there is none. */
  get next(): readonly [pubkey: string, until: number] | undefined {
    return this.#until.entries().next().value;
  }

  add(pubkey: string, until: number): void {
    this.#until.set(pubkey, Math.max(until, this.#until.get(pubkey) ?? 0));
  }

  done(pubkey: string): void {
    this.#until.delete(pubkey);
  }

  /** Whether a stored event is on its way out. */
  readonly hides = (json: string, createdAt: number): boolean => {
    if (this.#until.size === 0 || json.includes(`"kind":${KIND.vanish},`)) return false;
    const accounts = json.includes(`"kind":${KIND.sealedDm},`)
      ? accountsOf(JSON.parse(json))
      : [authorOf(json)];
    return accounts.some((pubkey) => createdAt <= (this.#until.get(pubkey) ?? -1));
  };
}
