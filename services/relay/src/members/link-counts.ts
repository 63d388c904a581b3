import { type Filter, filterToJson } from '@covey/nostr';
import type WebSocket from 'ws';
import { MemberUnreachableError } from './member-unreachable.ts';

export interface MemberCount {
  count: number;
  /** NIP-45's registers, when it sent them. */
  hll: unknown;
}

interface Waiting {
  settle(count: MemberCount): void;
  fail(error: Error): void;
}

/** COUNTs asked over one link, each until its answer came. Their ids begin with `c`. */
export class LinkCounts {
  readonly #url: string;
  readonly #waiting = new Map<string, Waiting>();
  #nextId = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** How many events the other member has for a filter. @throws MemberUnreachableError */
  count(socket: WebSocket, filter: Filter, timeoutMs: number): Promise<MemberCount> {
    return new Promise((resolve, reject) => {
      const id = `c${this.#nextId++}`;
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new MemberUnreachableError(`${this.#url} did not count within ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#waiting.set(id, {
        settle: (count) => {
          end();
          resolve(count);
        },
        fail,
      });
      socket.send(JSON.stringify(['COUNT', id, filterToJson(filter)]));
    });
  }

  /** `["COUNT", id, {"count": n, "hll": "…"}]`, or `["CLOSED", id, reason]`. False for what was not asked here. */
  onFrame(type: unknown, id: string, third: unknown): boolean {
    const waiting = this.#waiting.get(id);
    if (!waiting) return false;
    const { count, hll } = (third ?? {}) as { count?: unknown; hll?: unknown };
    if (type === 'COUNT' && Number.isSafeInteger(count)) waiting.settle({ count: count as number, hll });
    else
      waiting.fail(new MemberUnreachableError(`${this.#url} did not count: ${String(third).slice(0, 200)}`));
    return true;
  }

  lost(error: Error): void {
    for (const { fail } of [...this.#waiting.values()]) fail(error);
  }
}
