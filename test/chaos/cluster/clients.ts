import { setTimeout as delay } from 'node:timers/promises';
import type { NostrEvent } from '@covey/nostr';
import WebSocket from 'ws';
import type { Book, Entry } from './book.ts';
import type { ChaosMember } from './chaos-cluster.ts';

/** A client gives an answer so long: longer than the members' own deadlines together. */
const ANSWER_MS = 20_000;
const IN_FLIGHT = 4;

type Frame = unknown[];

/** A connection that keeps only what it waits for, so that minutes of load cost no memory. */
class Connection {
  readonly closed: Promise<undefined>;
  isClosed = false;
  readonly #socket: WebSocket;
  readonly #oks = new Map<string, (frame: Frame) => void>();
  readonly #reads = new Map<string, { ids: Set<string>; resolve: (frame: Frame) => void }>();
  #next = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.isClosed = true;
        resolve(undefined);
      }),
    );
    socket.on('message', (data) => this.#receive(JSON.parse(data.toString())));
  }

  static async open(url: string): Promise<Connection | undefined> {
    const socket = new WebSocket(url, { perMessageDeflate: false, handshakeTimeout: 5000 });
    const connection = new Connection(socket);
    socket.on('error', () => {});
    await Promise.race([new Promise((resolve) => socket.once('open', resolve)), connection.closed]);
    return connection.isClosed ? undefined : connection;
  }

  #receive(frame: Frame): void {
    const [type, id] = frame as [string, string];
    if (type === 'OK') this.#oks.get(id)?.(frame);
    const read = this.#reads.get(id);
    if (!read) return;
    if (type === 'EVENT') read.ids.add((frame[2] as NostrEvent).id);
    else if (type === 'EOSE' || type === 'CLOSED') read.resolve(frame);
  }

  /** [accepted, message]; undefined when the connection ended; 'silent' when nothing came in time. */
  async publish(event: NostrEvent): Promise<[boolean, string] | 'silent' | undefined> {
    const answer = new Promise<Frame>((resolve) => this.#oks.set(event.id, resolve));
    this.#socket.send(JSON.stringify(['EVENT', event]));
    const frame = await this.#first(answer);
    this.#oks.delete(event.id);
    return Array.isArray(frame) ? [frame[2] as boolean, frame[3] as string] : frame;
  }

  /** The ids found and the frame that ended the read; undefined and 'silent' as with `publish`. */
  async read(filter: object): Promise<{ ids: Set<string>; end: Frame } | 'silent' | undefined> {
    const id = `r${this.#next++}`;
    const ids = new Set<string>();
    const answer = new Promise<Frame>((resolve) => this.#reads.set(id, { ids, resolve }));
    this.#socket.send(JSON.stringify(['REQ', id, filter]));
    const frame = await this.#first(answer);
    this.#reads.delete(id);
    if (!this.isClosed) this.#socket.send(JSON.stringify(['CLOSE', id]));
    return Array.isArray(frame) ? { ids, end: frame } : frame;
  }

  async #first(answer: Promise<Frame>): Promise<Frame | 'silent' | undefined> {
    const timer = new AbortController();
    const late = delay(ANSWER_MS, 'silent' as const, { signal: timer.signal }).catch(() => undefined);
    const frame = await Promise.race([answer, this.closed, late]);
    timer.abort();
    return frame;
  }

  end(): void {
    this.#socket.terminate();
  }
}

export interface Load {
  book: Book;
  members: readonly ChaosMember[];
  random: () => number;
  /** Milliseconds between two writes of one of the IN_FLIGHT writers of each member. */
  pauseMs: number;
  stopped: () => boolean;
  /** Writes wait meanwhile, so that "whole" has a meaning; reads go on. */
  paused: () => boolean;
  /** Told of every acknowledged write, for those who time a failover. */
  onWrite?: (author: string, member: number) => void;
}

/** Whether the member could answer at all: a paused or cut one is silent by our own doing. */
const serves = (member: ChaosMember) => member.process.up && member.reachable;

/** Writes to member `i` for as long as it lives, and goes on when it is back. */
export async function writeTo(i: number, load: Load): Promise<void> {
  const { book, members, random, stopped } = load;
  const member = members[i]!;
  while (!stopped()) {
    const connection = await Connection.open(member.url);
    if (!connection) {
      await delay(100);
      continue;
    }
    const one = async (): Promise<void> => {
      for (let n = 0; !stopped() && !connection.isClosed; n++) {
        while (load.paused() && !stopped()) await delay(50);
        const author = book.authors[Math.floor(random() * book.authors.length)]!;
        const event = author.sign({ content: `member ${i}, ${n}, ${Math.floor(random() * 1e9)}` });
        const answer = await connection.publish(event);
        if (answer === 'silent') {
          if (serves(member)) book.unanswered.push({ atMs: performance.now(), member: i, what: 'EVENT' });
          connection.end();
        } else if (answer?.[0]) {
          book.acknowledged(event.id, author.pubkey, answer[1]);
          load.onWrite?.(author.pubkey, i);
        } else if (answer) book.refusedWith(answer[1]);
        await delay(load.pauseMs);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, one));
    connection.end();
  }
}

/** Reads acknowledged events back at member `i`: all of them must come, or the answer says that it may not be all. */
export async function readFrom(i: number, load: Load): Promise<void> {
  const { book, members, stopped } = load;
  const member = members[i]!;
  while (!stopped()) {
    const connection = await Connection.open(member.url);
    if (!connection) {
      await delay(100);
      continue;
    }
    while (!stopped() && !connection.isClosed) {
      const sample = book.sample(20);
      if (sample.length > 0) await readBack(connection, i, sample, load);
      await delay(load.pauseMs * 2);
    }
    connection.end();
  }
}

async function readBack(
  connection: Connection,
  i: number,
  sample: readonly Entry[],
  { book, members }: Load,
): Promise<void> {
  const ids = sample.map(({ id }) => id);
  const startedMs = performance.now();
  const answer = await connection.read({ authors: [sample[0]!.author], ids, limit: 500 });
  if (answer === 'silent') {
    if (serves(members[i]!)) book.unanswered.push({ atMs: performance.now(), member: i, what: 'REQ' });
    connection.end();
    return;
  }
  if (!answer) return;
  book.reads++;
  const { end } = answer;
  const missing = sample.filter(({ id }) => !answer.ids.has(id));
  if (missing.length === 0) return;
  const saysSo = end[0] === 'CLOSED' || (Array.isArray(end[2]) && end[2].includes('more'));
  if (saysSo) book.honest++;
  else book.missed(i, missing, JSON.stringify(end), startedMs);
}

/** Acknowledged events that no read finds, each looked for at every member given. */
export async function lost(
  book: Book,
  urls: readonly string[],
): Promise<{ strong: string[]; weak: string[] }> {
  let left = new Map(book.entries.map((entry) => [entry.id, entry]));
  for (const url of urls) {
    if (left.size === 0) break;
    const connection = await Connection.open(url);
    if (!connection) continue;
    const byAuthor = new Map<string, string[]>();
    for (const { id, author } of left.values()) byAuthor.set(author, [...(byAuthor.get(author) ?? []), id]);
    const found = new Set<string>();
    for (const [author, ids] of byAuthor)
      for (let i = 0; i < ids.length; i += 400) {
        const answer = await connection.read({ authors: [author], ids: ids.slice(i, i + 400), limit: 500 });
        if (answer && answer !== 'silent') for (const id of answer.ids) found.add(id);
      }
    connection.end();
    left = new Map([...left].filter(([id]) => !found.has(id)));
  }
  const entries = [...left.values()];
  return {
    strong: entries.filter(({ strong }) => strong).map(({ id }) => id),
    weak: entries.filter(({ strong }) => !strong).map(({ id }) => id),
  };
}
