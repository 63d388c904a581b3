/** The load of churn.ts: clients that come and go and do what clients do, well and badly. */
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import { newSigner, type Signer } from '../conformance/signer.ts';

export interface ChurnOptions {
  urls: readonly string[];
  authors: readonly Signer[];
  /** Clients at a time. */
  clients: number;
  eventsPerSecond: number;
  /** From 0 up to, not including, 1. */
  random: () => number;
}

export interface ChurnCounts {
  connections: number;
  subscriptions: number;
  published: number;
  accepted: number;
  received: number;
  slowReaders: number;
  cutOff: number;
}

/** Events go by themselves after this long, so that the store stays of one size. */
const LIFE_SECONDS = 300;
const CLIENT_MS_MAX = 20_000;

export class Churn {
  readonly counts: ChurnCounts = {
    connections: 0,
    subscriptions: 0,
    published: 0,
    accepted: 0,
    received: 0,
    slowReaders: 0,
    cutOff: 0,
  };
  readonly #options: ChurnOptions;
  readonly #work: Promise<void>[];
  readonly #stop = new AbortController();

  constructor(options: ChurnOptions) {
    this.#options = options;
    this.#work = [
      ...Array.from({ length: options.clients }, () => this.#forEver(() => this.#client())),
      ...Array.from({ length: 4 }, () => this.#forEver(() => this.#slowReader())),
      ...Array.from({ length: 4 }, () => this.#forEver(() => this.#writer())),
    ];
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#work);
  }

  async #forEver(once: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) await once();
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[Math.floor(this.#options.random() * list.length)]!;
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #open(): Promise<WebSocket | undefined> {
    const socket = new WebSocket(this.#oneOf(this.#options.urls), { perMessageDeflate: false });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('open', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.on('error', () => {});
    if (isOpen) this.counts.connections++;
    else await this.#pause(500);
    return isOpen ? socket : undefined;
  }

  /** Subscribes, unsubscribes, counts, reconciles, talks nonsense, and goes, politely or not. */
  async #client(): Promise<void> {
    const { random } = this.#options;
    const socket = await this.#open();
    if (!socket) return;
    socket.on('message', () => this.counts.received++);
    socket.on('close', () => this.counts.cutOff++);
    if (random() < 0.3)
      socket.send(JSON.stringify(['COVEY', { version: 1, batch: 50, compress: 'deflate-raw' }]));
    const until = Date.now() + random() * CLIENT_MS_MAX;
    for (
      let n = 0;
      Date.now() < until && socket.readyState === WebSocket.OPEN && !this.#stop.signal.aborted;
      n++
    ) {
      const id = `s${n % 8}`;
      const what = random();
      if (what < 0.6) {
        this.counts.subscriptions++;
        socket.send(JSON.stringify(['REQ', id, ...this.#filters()]));
      } else if (what < 0.75) socket.send(JSON.stringify(['CLOSE', id]));
      else if (what < 0.85) socket.send(JSON.stringify(['COUNT', 'c', ...this.#filters()]));
      else if (what < 0.9) socket.send(JSON.stringify(['NEG-OPEN', 'n', this.#filters()[0], '6100000200']));
      else if (what < 0.95) socket.send('["REQ", nonsense');
      else socket.send(JSON.stringify(['AUTH', newSigner().sign({ kind: 22242 })]));
      await this.#pause(200 + random() * 800);
    }
    if (random() < 0.5) socket.terminate();
    else socket.close();
  }

  #filters(): object[] {
    const { random, authors } = this.#options;
    const some = () =>
      Array.from({ length: 1 + Math.floor(random() * 20) }, () => this.#oneOf(authors).pubkey);
    const kinds = [
      { authors: some(), kinds: [1, 7], limit: 20 },
      { '#p': some(), limit: 20 },
      { '#t': [`tag${Math.floor(random() * 50)}`] },
      { kinds: [1], limit: 50 },
      { search: 'birds', limit: 10 },
      { authors: some(), limit: 200 },
    ];
    return Array.from({ length: 1 + Math.floor(random() * 3) }, () => this.#oneOf(kinds));
  }

  /** Asks for everything and reads nothing. */
  async #slowReader(): Promise<void> {
    const socket = await this.#open();
    if (!socket) return;
    this.counts.slowReaders++;
    for (let n = 0; n < 20; n++) socket.send(JSON.stringify(['REQ', `s${n}`, { kinds: [1], limit: 1000 }]));
    socket.pause();
    await this.#pause(45_000);
    socket.terminate();
  }

  async #writer(): Promise<void> {
    const socket = await this.#open();
    if (!socket) return;
    socket.on('message', (data) => {
      const text = data.toString();
      if (text.startsWith('["OK"') && JSON.parse(text)[2] === true) this.counts.accepted++;
    });
    const everyMs = 4000 / this.#options.eventsPerSecond;
    const until = Date.now() + 60_000;
    while (Date.now() < until && socket.readyState === WebSocket.OPEN && !this.#stop.signal.aborted) {
      socket.send(JSON.stringify(['EVENT', this.#event()]));
      this.counts.published++;
      await this.#pause(everyMs);
    }
    socket.close();
  }

  #event(): object {
    const { random, authors } = this.#options;
    const kind = this.#oneOf([1, 1, 1, 1, 7, 0, 10002, 30023, 1059, 20001]);
    const event = this.#oneOf(authors).sign({
      kind,
      content:
        kind === 0
          ? '{"name":"a bird"}'
          : `birds of a feather ${random()} ${'flock '.repeat(random() * 100)}`,
      tags: [
        ['p', this.#oneOf(authors).pubkey],
        ['t', `tag${Math.floor(random() * 50)}`],
        ['expiration', String(Math.floor(Date.now() / 1000) + LIFE_SECONDS)],
        ...(kind === 30023 ? [['d', String(Math.floor(random() * 10))]] : []),
      ],
    });
    return random() < 0.05 ? { ...event, sig: event.sig.replace(/^../, '00') } : event;
  }
}
