import WebSocket from 'ws';
import type { Limits } from './limits.ts';

/** From this many waiting bytes on, stored events are sent no faster than the reader takes them. */
const PACE_BYTES = 256 * 1024;
/** What a connection waits for that has nothing under way yet. */
export const DONE: Promise<void> = Promise.resolve();

/** The sending half of a connection: bounded. A reader that lets too much pile up, or takes nothing, is cut. */
export class Outbound {
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  readonly #onSlow: () => void;
  #turn = DONE;

  constructor(socket: WebSocket, limits: Limits, onSlow: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onSlow = onSlow;
  }

  /** Bytes that wait for the reader. */
  get waiting(): number {
    return this.#socket.bufferedAmount;
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Sends now. */
  send(frame: string | Uint8Array): void {
    if (!this.open) return;
    this.#socket.send(frame);
    if (this.#socket.bufferedAmount > this.#limits.outboundBytesMax) this.cut();
  }

  /** Gives up on a reader that is too slow. */
  cut(): void {
    this.#onSlow();
    this.#socket.terminate(); // a close frame would wait behind what is not read
  }

  /** Runs `work` when all earlier answers of this connection are out, so that only one waits in memory. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  /** Sends one of many frames, and waits while the reader is behind. */
  async pace(frame: string | Uint8Array): Promise<void> {
    if (!this.open) return;
    if (this.#socket.bufferedAmount < PACE_BYTES) {
      this.#socket.send(frame);
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.cut(), this.#limits.slowReaderMs);
      this.#socket.send(frame, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
