import {
  type Filter,
  filterToJson,
  isPrivateRelayUrl,
  matchesFilter,
  type NostrEvent,
  parseEvent,
} from '@covey/nostr';
import WebSocket from 'ws';
import { publicLookup } from '../members/public-lookup.ts';

const CONNECT_MS = 8000;
const ANSWER_MS = 15_000;
const FRAME_BYTES_MAX = 1024 * 1024;
const LIVE_BYTES_A_MINUTE_MAX = 32 * 1024 * 1024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** A relay outside the cluster could not be read. */
export class ForeignRelayError extends Error {
  override name = 'ForeignRelayError';
}

/** One connection to a relay outside the cluster: asked one thing at a time, trusted in nothing. */
export class ForeignRelay {
  readonly #url: string;
  readonly #socket: WebSocket;
  #next = 0;

  private constructor(url: string, socket: WebSocket) {
    this.#url = url;
    this.#socket = socket;
  }

  /** @throws ForeignRelayError also when the URL, or what its name resolves to, is no public address */
  static async open(url: string, allowPrivate: boolean): Promise<ForeignRelay> {
    if (!allowPrivate && isPrivateRelayUrl(url))
      throw new ForeignRelayError(`${url} is a private address; only the local profile reads from one`);
    const socket = new WebSocket(url, {
      handshakeTimeout: CONNECT_MS,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      followRedirects: false,
      ...(allowPrivate ? {} : { lookup: publicLookup }),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('close', () => reject(new ForeignRelayError(`${url} closed the connection`)));
      socket.on('error', (cause) => {
        socket.terminate();
        reject(new ForeignRelayError(`${url}: ${cause.message}`, { cause }));
      });
    });
    return new ForeignRelay(url, socket);
  }

  /**
   * What it has stored for a filter with a limit: well-formed events that fit, no more than the limit. Not verified.
   * @throws ForeignRelayError
   */
  async read(filter: Filter & { limit: number }): Promise<NostrEvent[]> {
    const socket = this.#socket;
    const id = `m${this.#next++}`;
    const events = new Map<string, NostrEvent>();
    let bytes = 0;
    await new Promise<void>((resolve, reject) => {
      const end = (error?: string) => {
        clearTimeout(timer);
        socket.off('message', onMessage);
        socket.off('close', onClose);
        if (error) reject(new ForeignRelayError(`${this.#url}: ${error}`));
        else resolve();
      };
      const timer = setTimeout(() => end(`no answer within ${ANSWER_MS} ms`), ANSWER_MS);
      const onClose = () => end('closed the connection');
      const onMessage = (data: WebSocket.RawData) => {
        bytes += (data as Buffer).length;
        if (bytes > ANSWER_BYTES_MAX) return end(`an answer of over ${ANSWER_BYTES_MAX} bytes`);
        const frame = readFrame(data);
        if (frame?.[1] !== id) return;
        if (frame[0] === 'EOSE') end();
        else if (frame[0] === 'CLOSED') end(String(frame[2] ?? 'CLOSED').slice(0, 200));
        else if (frame[0] === 'EVENT' && events.size < filter.limit) {
          const event = readEvent(frame[2]);
          if (event && matchesFilter(filter, event)) events.set(event.id, event);
        }
      };
      socket.on('message', onMessage);
      socket.on('close', onClose);
      if (socket.readyState !== WebSocket.OPEN) return end('closed the connection');
      socket.send(JSON.stringify(['REQ', id, filterToJson(filter)]));
    });
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(['CLOSE', id]));
    return [...events.values()];
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /**
   * New events for a filter, well-formed and fitting, not verified, until the connection or the subscription ends: then
   * `onEnd` is called once. A relay that sends too much, or answers no ping, is cut off.
   */
  listen(filter: Filter, onEvent: (event: NostrEvent) => void, onEnd: () => void): void {
    const socket = this.#socket;
    const id = `l${this.#next++}`;
    const end = () => {
      clearInterval(timer);
      socket.off('message', onMessage);
      socket.off('close', end);
      onEnd();
    };
    let bytes = 0;
    let alive = true;
    socket.on('pong', () => {
      alive = true;
    });
    const timer = setInterval(() => {
      if (!alive || bytes > LIVE_BYTES_A_MINUTE_MAX) return socket.terminate();
      bytes = 0;
      alive = false;
      socket.ping();
    }, 60_000);
    timer.unref();
    const onMessage = (data: WebSocket.RawData) => {
      bytes += (data as Buffer).length;
      const frame = readFrame(data);
      if (frame?.[1] !== id) return;
      if (frame[0] === 'CLOSED') end();
      if (frame[0] !== 'EVENT') return;
      const event = readEvent(frame[2]);
      if (event && matchesFilter(filter, event)) onEvent(event);
    };
    socket.on('message', onMessage);
    socket.on('close', end);
    socket.send(JSON.stringify(['REQ', id, filterToJson({ ...filter, limit: 0 })]));
  }

  close(): void {
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), 1000).unref();
  }
}

function readFrame(data: WebSocket.RawData): unknown[] | undefined {
  try {
    const frame: unknown = JSON.parse(data.toString());
    return Array.isArray(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}

function readEvent(value: unknown): NostrEvent | undefined {
  try {
    return parseEvent(value);
  } catch {
    return undefined;
  }
}
