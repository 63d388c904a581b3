import type { NostrEvent } from '@covey/nostr';
import type WebSocket from 'ws';
import { MemberUnreachableError } from './member-unreachable.ts';

const ANSWER_MS = 10_000;
const ALREADY_THERE = /^(duplicate|replaced):/;

export interface PublishAnswer {
  accepted: boolean;
  message: string;
}

interface Waiting {
  settle(answer: PublishAnswer): void;
  fail(error: Error): void;
}

/** Events on their way over one link, each until its OK came. */
export class LinkPublishes {
  readonly #url: string;
  /** Called when an event was not answered in time. @param ms how long it was waited for */
  readonly #onSilence: (ms: number) => void;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(url: string, onSilence: (ms: number) => void) {
    this.#url = url;
    this.#onSilence = onSilence;
  }

  /**
   * Sends an event that has passed through `hops` members; without them as any client does.
   * @throws MemberUnreachableError
   */
  publish(socket: WebSocket, event: NostrEvent, hops: number | undefined): Promise<PublishAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#onSilence(ANSWER_MS);
        fail(new MemberUnreachableError(`${this.#url} did not answer an event within ${ANSWER_MS} ms`));
      }, ANSWER_MS);
      const waiting = {
        settle: (answer: PublishAnswer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        fail: (error: Error) => fail(error),
      };
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      const others = this.#waiting.get(event.id);
      if (others) others.push(waiting);
      else this.#waiting.set(event.id, [waiting]);
      const passed = hops === undefined ? '' : `,{"hops":${hops}}`;
      socket.send(`["EVENT",${JSON.stringify(event)}${passed}]`);
    });
  }

  /** `["OK", id, accepted, message]`. */
  onOk(id: string, accepted: unknown, message: unknown): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    const text = String(message ?? '');
    // Some relays answer false to what they have, or have a newer version of: no further copy is needed there.
    const isThere = ALREADY_THERE.test(text);
    for (const { settle } of waiting ?? []) settle({ accepted: accepted === true || isThere, message: text });
  }

  lost(error: Error): void {
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { fail } of waiting) fail(error);
  }
}
