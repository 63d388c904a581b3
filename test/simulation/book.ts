import type { Cluster } from './cluster.ts';
import type { SimEvent } from './disk.ts';
import type { Message } from './messages.ts';
import { CLIENTS, type World } from './world.ts';

export interface Entry {
  event: SimEvent;
  /** When OK said two copies; else undefined. */
  strongAtMs?: number;
}

const ANSWER_MS = 6000;
/** What was acknowledged so lately may not be at every copy yet: it is on its way. */
const LAG_MS = 5000;
/** The margin after more than one thing was broken. */
const ROUGH_MS = 15_000;

/** What a client was promised, and what it then found. */
export class Book {
  readonly entries = new Map<string, Entry>();
  /** Of a read that claimed to be whole: what it lacked, and it must not have. Given as text to fail with. */
  gap: string | undefined;
  /** Of a copy that claims to be whole, and is not. */
  claim: string | undefined;
  reads = 0;

  /** Events said OK to as durable on two copies. */
  get strong(): Entry[] {
    return [...this.entries.values()].filter(({ strongAtMs }) => strongAtMs !== undefined);
  }
}

type Answer = Pick<Extract<Message, { type: 'have' }>, 'ids' | 'whole' | 'sinceMs'>;

/** What was acknowledged before these may be missed for a while. */
export interface Rough {
  /** More than one member was down, stood still or had yet to catch up, or links were cut. */
  readonly untilMs: number;
  /** More than one member could not be reached. */
  readonly cutOffMs: number;
}

/** A client: it writes anywhere, reads where it is told, and keeps book. */
export class SimClient {
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #book: Book;
  readonly #address: number;
  readonly #open = new Map<number, (message: Message | undefined) => void>();
  readonly #rough: Rough;
  #written = 0;
  stopped = false;

  constructor(cluster: Cluster, book: Book, number: number, rough: Rough) {
    this.#cluster = cluster;
    this.#world = cluster.world;
    this.#book = book;
    this.#address = CLIENTS + number;
    this.#rough = rough;
    this.#world.start(this.#address, (_, message) => this.#receive(message as Message));
    this.#later(() => this.#write());
    this.#later(() => this.#read());
  }

  #later(run: () => void): void {
    this.#world.after(this.#world.between(100, 800), this.#address, 'client', () => {
      if (!this.stopped) run();
    });
  }

  #receive(message: Message): void {
    const ref = 'ref' in message ? message.ref : -1;
    this.#open.get(ref)?.(message);
  }

  /** @param then called with the answer, or with undefined when none came */
  #ask(to: number, message: (ref: number) => Message, then: (answer: Message | undefined) => void): void {
    const ref = this.#cluster.nextRef();
    this.#open.set(ref, (answer) => {
      this.#open.delete(ref);
      then(answer);
    });
    this.#world.after(ANSWER_MS, this.#address, 'no answer', () => this.#open.get(ref)?.(undefined));
    this.#world.send(this.#address, to, message(ref).type, message(ref));
  }

  #someone(): number | undefined {
    const running = this.#cluster.running.filter((i) => !this.#world.isPaused(i));
    return running.length > 0 ? this.#world.pick(running) : undefined;
  }

  #write(): void {
    this.#later(() => this.#write());
    const to = this.#someone();
    if (to === undefined) return;
    const pubkey = this.#world.pick(this.#cluster.authors);
    const event = { id: `${this.#address}-${++this.#written}`, kind: 1, pubkey, tags: [] };
    const entry: Entry = { event };
    this.#book.entries.set(event.id, entry);
    this.#ask(
      to,
      (ref) => ({ type: 'write', ref, event }),
      (answer) => {
        if (answer?.type === 'written' && answer.copies === 'two') {
          entry.strongAtMs = this.#world.nowMs;
          this.#cluster.onStrong(event.id);
        }
      },
    );
  }

  /** Asks anybody where an account is read, then the first two that answer: with two copies written, one of them has it. */
  #read(): void {
    this.#later(() => this.#read());
    const to = this.#someone();
    if (to === undefined) return;
    const pubkey = this.#world.pick(this.#cluster.authors);
    const startedAtMs = this.#world.nowMs;
    this.#ask(
      to,
      (ref) => ({ type: 'where', ref, pubkey }),
      (answer) => {
        if (answer?.type !== 'there') return;
        this.#readFrom(answer.readers, answer.epoch, pubkey, [], startedAtMs);
        // And what any of them claims, which would be asked if others were gone.
        if (answer.readers.length > 0)
          this.#ask(
            this.#cluster.ids.indexOf(this.#world.pick(answer.readers)),
            (ref) => ({ type: 'read', ref, pubkey, epoch: answer.epoch }),
            (claim) => {
              if (claim?.type === 'have') this.#judgeClaim(pubkey, claim);
            },
          );
      },
    );
  }

  #readFrom(
    readers: readonly string[],
    epoch: number,
    pubkey: string,
    got: Answer[],
    startedAtMs: number,
  ): void {
    if (got.length === 2) {
      this.#judge(pubkey, got, startedAtMs);
      return;
    }
    const [next, ...rest] = readers;
    if (next === undefined) return;
    this.#ask(
      this.#cluster.ids.indexOf(next),
      (ref) => ({ type: 'read', ref, pubkey, epoch }),
      (answer) => {
        if (answer?.type === 'have') {
          this.#judgeClaim(pubkey, answer);
          got.push(answer);
        }
        this.#readFrom(rest, epoch, pubkey, got, startedAtMs);
      },
    );
  }

  #judge(pubkey: string, got: readonly Answer[], startedAtMs: number): void {
    this.#book.reads++;
    if (!got.every(({ whole }) => whole)) return; // it said so
    const roughMs = this.#rough.untilMs + ROUGH_MS;
    for (const { event, strongAtMs } of this.#book.strong) {
      if (event.pubkey !== pubkey || strongAtMs! >= startedAtMs - LAG_MS || strongAtMs! <= roughMs) continue;
      if (!got.some(({ ids }) => ids.has(event.id)))
        this.#book.gap = `a read of two copies that both claimed to be whole lacks ${event.id}, acknowledged ${Math.round(startedAtMs - strongAtMs!)} ms before`;
    }
  }

  /**
   * Whoever claims to be whole has all that was acknowledged before it came to hold the account, or started; but for what may
   * be on its way yet. Call it when the answer arrives.
   */
  #judgeClaim(pubkey: string, { ids, whole, sinceMs }: Answer): void {
    if (!whole) return;
    for (const { event, strongAtMs } of this.#book.strong)
      if (
        event.pubkey === pubkey &&
        strongAtMs! < Math.min(sinceMs, this.#world.nowMs - LAG_MS) &&
        strongAtMs! > this.#rough.cutOffMs &&
        !ids.has(event.id)
      )
        this.#book.claim = `a copy that claims to be whole lacks ${event.id}, acknowledged ${Math.round(sinceMs - strongAtMs!)} ms before its member came to hold it`;
  }
}
