import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import WebSocket, { WebSocketServer } from 'ws';
import { type HttpOptions, httpHandler } from './http.ts';
import type { Limits } from './limits.ts';
import type { RelayMetrics } from './metrics.ts';
import { Session } from './session.ts';
import type { SessionContext } from './session-context.ts';

/** Time that clients have to close after they were told that we go. */
const CLOSE_MS = 1000;
/** How often it is looked at what waits for all readers together. */
const RELIEF_MS = 1000;

/** The address can't be listened on. The message says which, and what to do. */
export class ListenError extends Error {
  override name = 'ListenError';
}

/** The port: HTTP requests are answered, WebSockets become sessions, the silent and the dead are closed. */
export class Listener {
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #sessions = new Map<WebSocket, Session>();
  readonly #limits: Limits;
  readonly #metrics: RelayMetrics;
  readonly #context: SessionContext;
  readonly #onBadFrame = () => this.#metrics.badFrames.inc();
  #watch: NodeJS.Timeout | undefined;
  #relief: NodeJS.Timeout | undefined;

  constructor(context: SessionContext, http: HttpOptions) {
    this.#context = context;
    this.#limits = context.limits;
    this.#metrics = context.metrics;
    this.#server = createServer(
      {
        headersTimeout: this.#limits.handshakeMs,
        requestTimeout: this.#limits.handshakeMs,
        connectionsCheckingInterval: Math.min(this.#limits.handshakeMs, 5000),
      },
      httpHandler(http),
    );
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: this.#limits.refusedFrameBytesMax,
      perMessageDeflate: false,
      clientTracking: false, // the sessions are the list
    });
    this.#server.on('upgrade', (request, socket, head) => {
      if (this.#sessions.size >= this.#limits.connectionsMax) return refuse(socket);
      socket.on('error', destroyed);
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket));
    });
  }

  get connections(): number {
    return this.#sessions.size;
  }

  get subscriptions(): number {
    let total = 0;
    for (const session of this.#sessions.values()) total += session.subscriptions;
    return total;
  }

  /** @returns the port @throws ListenError */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const why =
          cause.code === 'EADDRINUSE' ? 'is taken: stop who has it, or set COVEY_LISTEN' : cause.message;
        reject(new ListenError(`${host}:${port} ${why}`, { cause }));
      });
      this.#server.listen(port, host, () => {
        this.#server.removeAllListeners('error');
        // Out of file descriptors, say: who is connected stays, and new ones may come later.
        this.#server.on('error', (error) => this.#metrics.cut.inc({ reason: `listen ${error.name}` }));
        resolve();
      });
    });
    this.#watch = setInterval(() => this.#sweep(), Math.min(this.#limits.pingMs, this.#limits.idleMs));
    this.#watch.unref();
    this.#relief = setInterval(() => this.#relieve(), RELIEF_MS);
    this.#relief.unref();
    return (this.#server.address() as AddressInfo).port;
  }

  #accept(socket: WebSocket): void {
    const session = new Session(socket, this.#context);
    this.#sessions.set(socket, session);
    socket.on('pong', () => {
      session.alive = true;
    });
    // ws has sent the close frame (1009 for a frame over the bound, 1007 for invalid UTF-8) when it reports an error.
    socket.on('error', this.#onBadFrame);
    socket.on('close', () => {
      this.#sessions.delete(socket);
      session.end();
    });
  }

  /** Cuts connections that answered no ping, closes those that are idle, and pings the others. */
  #sweep(): void {
    const now = this.#context.clock();
    for (const [socket, session] of this.#sessions) {
      if (!session.alive) {
        this.#metrics.cut.inc({ reason: 'no pong' });
        socket.terminate();
      } else if (session.idle(now)) {
        this.#metrics.cut.inc({ reason: 'idle' });
        socket.close(1000, 'idle');
        session.alive = false; // who does not close in turn is cut at the next sweep
      } else {
        session.alive = false;
        socket.ping();
      }
    }
  }

  /** What waits for all readers together is bounded too: the slowest are cut first. */
  #relieve(): void {
    let waiting = 0;
    for (const session of this.#sessions.values()) waiting += session.waitingBytes;
    if (waiting <= this.#limits.outboundTotalBytesMax) return;
    const slowest = [...this.#sessions.values()].sort((a, b) => b.waitingBytes - a.waitingBytes);
    for (const session of slowest) {
      if (waiting <= this.#limits.outboundTotalBytesMax) return;
      waiting -= session.waitingBytes;
      session.cut();
    }
  }

  /** Has every session look again at where its accounts live, spread over `ms`. */
  reroute(ms: number): void {
    const sessions = [...this.#sessions.values()];
    sessions.forEach((session, i) => {
      setTimeout(() => session.reroute(), (ms * i) / sessions.length).unref();
    });
  }

  /** No new connections or requests from here on. */
  refuse(): void {
    clearInterval(this.#watch);
    clearInterval(this.#relief);
    this.#server.close();
  }

  /** Tells clients to go elsewhere, and goes after a second at the latest. */
  async close(): Promise<void> {
    const open = [...this.#sessions.keys()];
    const gone = Promise.all(open.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    for (const [socket, session] of this.#sessions)
      socket.close(session.farewell(), 'this relay is going away');
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      gone,
      new Promise((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      }),
    ]);
    clearTimeout(timer);
    for (const socket of open) if (socket.readyState !== WebSocket.CLOSED) socket.terminate();
    this.#server.closeAllConnections();
  }
}

function destroyed(this: Duplex): void {
  this.destroy();
}

function refuse(socket: Duplex): void {
  socket.end(
    'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 60\r\nContent-Type: text/plain\r\n\r\ntoo many connections\n',
  );
}
