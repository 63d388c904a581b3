import type { NostrEvent } from '@covey/nostr';
import WebSocket from 'ws';

type Frame = unknown[];

/** A plain Nostr connection that shows frames as they are: what a relay says is the thing under test. */
export class WireClient {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  closeCode: number | undefined;
  #waiting: { fits: (frame: Frame) => boolean; resolve: (frame: Frame) => void }[] = [];
  #next = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data, isBinary) => {
      const frame: Frame = isBinary ? ['BINARY', data as Buffer] : JSON.parse(data.toString());
      this.frames.push(frame);
      const i = this.#waiting.findIndex(({ fits }) => fits(frame));
      if (i >= 0) this.#waiting.splice(i, 1)[0]!.resolve(frame);
    });
    socket.on('close', (code) => {
      this.closeCode = code;
    });
    socket.on('error', () => {});
  }

  static async open(url: string): Promise<WireClient> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const client = new WireClient(socket);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  send(...frame: unknown[]): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The first frame, already here or to come, that fits. */
  async wait(what: string, fits: (frame: Frame) => boolean, timeoutMs = 8000): Promise<Frame> {
    const known = this.frames.find(fits);
    if (known) return known;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`no ${what}; the last frames: ${JSON.stringify(this.frames.slice(-5)).slice(0, 600)}`),
          ),
        timeoutMs,
      );
      this.#waiting.push({
        fits,
        resolve: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
      });
    });
  }

  /** Publishes and returns [accepted, message]. */
  async publish(event: NostrEvent): Promise<[boolean, string]> {
    const before = this.frames.length;
    this.send('EVENT', event);
    const frame = await this.wait(
      `OK for ${event.id}`,
      (f) => f[0] === 'OK' && f[1] === event.id && this.frames.indexOf(f) >= before,
    );
    return [frame[2] as boolean, frame[3] as string];
  }

  /** A REQ read to its EOSE (or CLOSED), then closed. */
  async read(...filters: object[]): Promise<{ events: NostrEvent[]; end: Frame; notices: string[] }> {
    const subscription = `read-${this.#next++}`;
    const before = this.frames.length;
    this.send('REQ', subscription, ...filters);
    const end = await this.wait(
      `end of ${subscription}`,
      (f) => (f[0] === 'EOSE' || f[0] === 'CLOSED') && f[1] === subscription,
    );
    this.send('CLOSE', subscription);
    const since = this.frames.slice(before);
    return {
      events: since.filter((f) => f[0] === 'EVENT' && f[1] === subscription).map((f) => f[2] as NostrEvent),
      end,
      notices: since.filter((f) => f[0] === 'NOTICE').map((f) => f[1] as string),
    };
  }

  async closed(timeoutMs = 8000): Promise<number> {
    if (this.closeCode !== undefined) return this.closeCode;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the connection was not closed')), timeoutMs);
      this.socket.once('close', (code) => {
        clearTimeout(timer);
        resolve(code);
      });
    });
  }

  close(): void {
    this.socket.terminate();
  }
}
