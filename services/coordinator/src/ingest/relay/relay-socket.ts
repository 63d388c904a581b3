import { isPrivateRelayUrl } from '@covey/nostr';
import WebSocket, { type RawData } from 'ws';
import { PrivateAddressError, publicLookup } from '../../public-lookup.ts';
import { SourceBrokenError } from '../source-chunk.ts';
import type { RelayLimits } from './relay-limits.ts';
import { type Page, PageCollector, type PageRequest } from './relay-page.ts';

/** Words in CLOSED that no second try will change. */
const FINAL_WORDS = /^(auth-required|restricted|blocked|unsupported|invalid):/;
const NOTICE_CHARACTERS_MAX = 200;

interface Asking {
  subscription: string;
  collector: PageCollector;
  limit: number;
  done: (page: Page) => void;
  broken: (error: SourceBrokenError) => void;
  idle: NodeJS.Timeout;
  total: NodeJS.Timeout;
}

/** A connection to a relay that answers one request at a time. Every way in which a relay can fail ends the request. */
export class RelaySocket {
  readonly #url: string;
  readonly #socket: WebSocket;
  readonly #limits: RelayLimits;
  #asking: Asking | undefined;
  #asked = 0;
  /** Messages since the answer began that belong to none. */
  #outside = 0;
  #notice = '';
  #gone: SourceBrokenError | undefined;

  /** @throws SourceBrokenError when there is no connection; never to be retried where the address is private */
  static async connect(url: string, limits: RelayLimits, allowPrivate: boolean): Promise<RelaySocket> {
    if (!allowPrivate && isPrivateRelayUrl(url))
      throw privateRelay(url, 'it names a place in a private network');
    const socket = new WebSocket(url, {
      handshakeTimeout: limits.connectMsMax,
      maxPayload: limits.messageBytesMax,
      perMessageDeflate: false,
      followRedirects: false,
      // Bad bytes are counted as one bad record; they do not end the connection.
      skipUTF8Validation: true,
      ...(allowPrivate ? {} : { lookup: publicLookup }),
    });
    return await new Promise((resolve, reject) => {
      const relay = new RelaySocket(url, socket, limits);
      socket.once('open', () => resolve(relay));
      socket.once('error', (cause) => {
        if (cause instanceof PrivateAddressError) reject(privateRelay(url, cause.message));
        else
          reject(new SourceBrokenError(`${url}: no connection (${cause.message})`, { retry: true, cause }));
      });
    });
  }

  private constructor(url: string, socket: WebSocket, limits: RelayLimits) {
    this.#url = url;
    this.#socket = socket;
    this.#limits = limits;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('error', (cause) => this.#break(`the connection failed (${cause.message})`, true, cause));
    socket.on('close', (code) => this.#break(`it closed the connection (${code})`, true));
  }

  /**
   * One answer, bounded in events, bytes and time.
   * @throws RelayBrokeOffError with what had come when the relay closes, refuses, floods or falls silent
   */
  ask(request: PageRequest): Promise<Page> {
    return new Promise((resolve, reject) => {
      if (this.#gone)
        return reject(new RelayBrokeOffError(this.#gone, new PageCollector(request).page('cut')));
      const subscription = `covey-${++this.#asked}`;
      const { idleMsMax, pageMsMax } = this.#limits;
      const silent = () => {
        // A relay that has given all that was asked for, and never says so, has answered.
        if (asking.collector.events.length >= request.limit) this.#finish('cut');
        else this.#break(`no EOSE: silent for ${idleMsMax / 1000} s in the middle of an answer`, true);
      };
      const asking: Asking = {
        subscription,
        collector: new PageCollector(request),
        limit: request.limit,
        done: resolve,
        broken: (error) => reject(new RelayBrokeOffError(error, asking.collector.page('cut'))),
        idle: setTimeout(silent, idleMsMax),
        total: setTimeout(() => {
          if (asking.collector.events.length >= request.limit) this.#finish('cut');
          else this.#break(`no EOSE: an answer took over ${pageMsMax / 1000} s`, true);
        }, pageMsMax),
      };
      this.#asking = asking;
      this.#outside = 0;
      const { kind, since, until, limit } = request;
      const filter = { kinds: [kind], ...(since > 0 ? { since } : {}), until, limit };
      this.#socket.send(JSON.stringify(['REQ', subscription, filter]));
    });
  }

  /** Ends the answer under way, and every later one, as if the relay had gone. */
  interrupt(why: string): void {
    this.#break(why, true);
  }

  close(): void {
    this.#gone ??= new SourceBrokenError('closed', { retry: true });
    this.#release();
    // A relay that does not answer the closing handshake is cut off.
    const cut = setTimeout(() => this.#socket.terminate(), 1_000);
    cut.unref();
    this.#socket.once('close', () => clearTimeout(cut));
    this.#socket.close();
  }

  #receive(data: RawData, isBinary: boolean): void {
    const asking = this.#asking;
    asking?.idle.refresh();
    const bytes = data as Buffer;
    const message = isBinary ? undefined : parseMessage(bytes);
    if (asking && message?.[0] === 'EVENT' && message[1] === asking.subscription) {
      asking.collector.add(message[2], bytes);
      const { events, bytes: pageBytes } = asking.collector;
      if (events.length >= 2 * asking.limit || pageBytes >= this.#limits.pageBytesMax) {
        this.#socket.send(JSON.stringify(['CLOSE', asking.subscription]));
        this.#finish('cut');
      } else this.#checkStray();
      return;
    }
    switch (message?.[0]) {
      case 'EOSE':
        if (asking && message[1] === asking.subscription) {
          this.#socket.send(JSON.stringify(['CLOSE', asking.subscription]));
          this.#finish('eose');
        }
        return;
      case 'CLOSED':
        if (asking && message[1] === asking.subscription) {
          const reason = String(message[2] ?? '').slice(0, NOTICE_CHARACTERS_MAX);
          this.#break(`it refused: ${reason}`, !FINAL_WORDS.test(reason));
        }
        return;
      case 'NOTICE':
        this.#notice = String(message[1] ?? '').slice(0, NOTICE_CHARACTERS_MAX);
        break;
      case 'AUTH':
        return;
      case undefined:
        if (!isBinary) asking?.collector.addGarbage(bytes);
        break;
    }
    this.#outside++;
    this.#checkStray();
  }

  #checkStray(): void {
    const { strayMessagesMax, pageBytesMax } = this.#limits;
    const { stray = 0, unusableBytes = 0 } = this.#asking?.collector ?? {};
    if (stray + this.#outside > strayMessagesMax || unusableBytes > pageBytesMax)
      this.#break(`it floods: over ${strayMessagesMax} messages that were not asked for`, true);
  }

  #finish(end: Page['end']): void {
    const asking = this.#release();
    asking?.done(asking.collector.page(end));
  }

  #break(what: string, retry: boolean, cause?: unknown): void {
    const notice = this.#notice ? `; its last notice: ${this.#notice}` : '';
    this.#gone ??= new SourceBrokenError(`${this.#url}: ${what}${notice}`, { retry, cause });
    const asking = this.#release();
    asking?.broken(this.#gone);
    this.#socket.terminate();
  }

  #release(): Asking | undefined {
    const asking = this.#asking;
    if (asking) {
      clearTimeout(asking.idle);
      clearTimeout(asking.total);
    }
    this.#asking = undefined;
    return asking;
  }
}

/** The relay failed in the middle of an answer. `page` is what had come. */
export class RelayBrokeOffError extends Error {
  override name = 'RelayBrokeOffError';
  readonly page: Page;
  readonly broken: SourceBrokenError;

  constructor(broken: SourceBrokenError, page: Page) {
    super(broken.message, { cause: broken });
    this.broken = broken;
    this.page = page;
  }
}

function parseMessage(bytes: Buffer): unknown[] | undefined {
  try {
    const message: unknown = JSON.parse(bytes.toString('utf8'));
    return Array.isArray(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function privateRelay(url: string, why: string): SourceBrokenError {
  return new SourceBrokenError(
    `${url} is refused: ${why}. COVEY_PROFILE=local allows relays in your own network`,
    { retry: false },
  );
}
