import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { compareEvents, matchesFilter, type NostrEvent, parseFilter } from '@covey/nostr';
import { type WebSocket, WebSocketServer } from 'ws';

export interface Behaviour {
  /** Most events in an answer, whatever the filter asks for. */
  cap: number;
  /** Called before an answer; what it does and returns decides: `true` means that it answered itself. */
  instead?: (socket: WebSocket, request: Request) => boolean | Promise<boolean>;
}

export interface Request {
  subscription: string;
  filter: { kinds: number[]; since?: number; until: number; limit: number };
  /** 1 for the first since the relay began. */
  number: number;
}

/** A relay with a real socket whose manners a test decides. */
export class FakeRelay {
  readonly #server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  url = '';
  readonly requests: Request[] = [];
  events: NostrEvent[];
  behaviour: Behaviour;

  /** Listening on a free port. */
  static async start(events: NostrEvent[], behaviour: Partial<Behaviour> = {}): Promise<FakeRelay> {
    const relay = new FakeRelay(events, behaviour);
    await once(relay.#server, 'listening');
    relay.url = `ws://127.0.0.1:${(relay.#server.address() as AddressInfo).port}`;
    return relay;
  }

  private constructor(events: NostrEvent[], behaviour: Partial<Behaviour>) {
    this.events = events;
    this.behaviour = { cap: 500, ...behaviour };
    this.#server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data) => void this.#receive(socket, JSON.parse(String(data))));
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** What an honest relay would answer. */
  answer({ filter }: Request): NostrEvent[] {
    const fitting = this.events.filter((event) =>
      matchesFilter(parseFilter(filter, { valuesMax: 10 }), event),
    );
    return fitting.sort(compareEvents).slice(0, Math.min(filter.limit, this.behaviour.cap));
  }

  async #receive(
    socket: WebSocket,
    [type, subscription, filter]: [string, string, Request['filter']],
  ): Promise<void> {
    if (type !== 'REQ') return;
    const request = { subscription, filter, number: this.requests.length + 1 };
    this.requests.push(request);
    if (await this.behaviour.instead?.(socket, request)) return;
    for (const event of this.answer(request)) socket.send(JSON.stringify(['EVENT', subscription, event]));
    socket.send(JSON.stringify(['EOSE', subscription]));
  }
}
