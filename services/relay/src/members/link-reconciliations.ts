import WebSocket from 'ws';
import { MemberUnreachableError } from './member-unreachable.ts';

export interface ReconciliationAnswer {
  message: string;
  /** Its own copy of something that both share is incomplete. */
  filling: boolean;
  /** Epoch that it applies; 0 when it does not say. */
  epoch: number;
  tooMany: boolean;
}

/** One comparison of what both members have, by negentropy. */
export interface Reconciliation {
  /** Sends a message; the answer, or `tooMany` when the scope is too large for the other side. @throws MemberUnreachableError */
  exchange(message: string, timeoutMs: number): Promise<ReconciliationAnswer>;
  close(): void;
}

interface Waiting {
  settle(frame: readonly unknown[]): void;
  fail(error: Error): void;
}

/** Comparisons that are open on one link, each with at most one message that waits for its answer. */
export class LinkReconciliations {
  readonly #url: string;
  readonly #waiting = new Map<string, Waiting>();
  #nextId = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** @param plain by NIP-77 itself, as the other side knows no other: the scope is a filter over all that it has */
  open(socket: WebSocket, scope: object, plain: boolean): Reconciliation {
    const id = `n${this.#nextId++}`;
    let opened = false;
    return {
      exchange: (message, timeoutMs) =>
        new Promise((resolve, reject) => {
          const done = () => {
            clearTimeout(timer);
            this.#waiting.delete(id);
          };
          const fail = (error: Error) => {
            done();
            reject(error);
          };
          const timer = setTimeout(
            () => fail(new MemberUnreachableError(`${this.#url} did not answer within ${timeoutMs} ms`)),
            timeoutMs,
          );
          this.#waiting.set(id, {
            fail,
            settle: ([type, , answer, more]) => {
              done();
              const reason = String(answer);
              const refused = type === 'COVEY-NEG-ERR' || type === 'NEG-ERR';
              if (refused && !reason.startsWith('blocked:'))
                return reject(new MemberUnreachableError(`${this.#url}: ${reason.slice(0, 200)}`));
              const { filling, epoch } = (more ?? {}) as { filling?: unknown; epoch?: unknown };
              resolve({
                message: reason,
                filling: filling === true,
                epoch: typeof epoch === 'number' ? epoch : 0,
                tooMany: refused,
              });
            },
          });
          const [open, next] = plain ? ['NEG-OPEN', 'NEG-MSG'] : ['COVEY-NEG', 'COVEY-NEG'];
          socket.send(JSON.stringify(opened ? [next, id, message] : [open, id, scope, message]));
          opened = true;
        }),
      close: () => {
        if (socket.readyState === WebSocket.OPEN)
          socket.send(JSON.stringify([plain ? 'NEG-CLOSE' : 'COVEY-NEG-CLOSE', id]));
      },
    };
  }

  /** COVEY-NEG and COVEY-NEG-ERR, NEG-MSG and NEG-ERR. */
  onFrame(id: string, frame: readonly unknown[]): void {
    this.#waiting.get(id)?.settle(frame);
  }

  lost(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { fail } of waiting) fail(error);
  }
}
