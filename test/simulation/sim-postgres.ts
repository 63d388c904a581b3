import { prefixesInOneTable } from '@covey/moves';
import { PlacementTable, PREFIX_BYTES } from '@covey/table';
import {
  type EpochHead,
  type EpochRow,
  FencedError,
  type OutboxItem,
} from '../../services/coordinator/src/epochs/epoch-store.ts';
import type { LeaseStore } from '../../services/coordinator/src/lease-store.ts';
import type { MoveState, MoveStore } from '../../services/coordinator/src/moves/move-store.ts';
import type { Target } from '../../services/coordinator/src/moves/target-store.ts';
import type { OutboxStore } from '../../services/coordinator/src/outbox-store.ts';
import type { Calls } from './calls.ts';
import type { Guard } from './guards.ts';
import { type Address, POSTGRES, type World } from './world.ts';

const STATEMENT_MS_MAX = 5000;

/** What stands in the database: it survives every kill, and changes by whole transactions. */
export class Database {
  readonly #world: World;
  readonly #calls: Calls;
  readonly #without: ReadonlySet<Guard>;
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly lease = { holder: '', fence: 0, expiresAtMs: 0 };
  /** By epoch, from 1. */
  readonly epochs: EpochRow[] = [];
  readonly tables: PlacementTable[] = [];
  readonly #outbox = new Set<number>();
  target: Target;
  /** Called after each commit, with the fence that was the newest then. */
  onCommit: (row: EpochRow, fence: number) => void = () => {};

  /** @param first the first epoch, and the first target. @param accounts whole public keys that were ever placed, hex */
  constructor(
    world: World,
    calls: Calls,
    first: { row: EpochRow; table: PlacementTable },
    accounts: readonly string[],
    without: ReadonlySet<Guard>,
  ) {
    this.#world = world;
    this.#calls = calls;
    this.#without = without;
    this.#keys = new Map(
      accounts.map((key) => [key.slice(0, 2 * PREFIX_BYTES), new Uint8Array(Buffer.from(key, 'hex'))]),
    );
    this.epochs.push(first.row);
    this.tables.push(first.table);
    this.target = { table: first.table, sinceMs: world.nowMs, phases: new Map() };
    world.start(POSTGRES, () => {});
  }

  get #last(): EpochRow {
    return this.epochs.at(-1)!;
  }

  #ask<T>(from: Address, what: string, work: () => T): Promise<T> {
    return this.#calls.ask(from, POSTGRES, what, STATEMENT_MS_MAX, work);
  }

  leaseFor(coordinator: Address): LeaseStore {
    const { lease } = this;
    const isOver = () => this.#without.has('one lease') || lease.expiresAtMs <= this.#world.nowMs;
    return {
      acquire: (holder, ttlMs) =>
        this.#ask(coordinator, 'acquire', () => {
          if (!isOver()) return undefined;
          Object.assign(lease, {
            holder,
            fence: lease.fence + 1,
            expiresAtMs: this.#world.nowMs + ttlMs,
          });
          return lease.fence;
        }),
      renew: (fence, _holder, ttlMs) =>
        this.#ask(coordinator, 'renew', () => {
          if (this.#without.has('one lease')) return true;
          if (lease.fence !== fence || isOver()) return false;
          lease.expiresAtMs = this.#world.nowMs + ttlMs;
          return true;
        }),
      release: (fence) =>
        this.#ask(coordinator, 'release', () => {
          if (lease.fence === fence) lease.expiresAtMs = this.#world.nowMs;
        }),
    };
  }

  movesFor(coordinator: Address): MoveStore {
    return {
      last: () => this.#ask<EpochHead | undefined>(coordinator, 'last epoch', () => this.#last),
      tableOf: (epoch) => this.#ask(coordinator, 'table', () => this.tables[epoch - 1]!.bytes),
      movesUntil: (epoch) =>
        this.#ask(coordinator, 'moves until', () => {
          const tags = this.epochs[epoch - 1]?.manifest.tags ?? [];
          return Number(tags.find(([name]) => name === 'moves-until')?.[1] ?? 0);
        }),
      isPaused: () => this.#ask(coordinator, 'controls', () => false),
      targetRoot: () => this.#ask(coordinator, 'target root', () => this.target.table.root),
      target: () => this.#ask<Target | undefined>(coordinator, 'target', () => this.target),
      keysBetween: (current, target) =>
        this.#ask(coordinator, 'keys', () => {
          const known = new Set(prefixesInOneTable(current, target).map((prefix) => hex(prefix, 0)));
          return (bytes: Uint8Array, at: number) => {
            const prefix = hex(bytes, at);
            return known.has(prefix) ? this.#keys.get(prefix) : undefined;
          };
        }),
      commit: (row, state) => this.#ask(coordinator, 'commit', () => this.#commit(row, state)),
    };
  }

  #commit(row: EpochRow, { target, phases }: MoveState): void {
    const { lease } = this;
    const { nowMs } = this.#world;
    if (!this.#without.has('fence') && (lease.fence !== row.fence || lease.expiresAtMs <= nowMs))
      throw new FencedError(`fence ${row.fence} is over: another coordinator leads`);
    if (row.epoch !== this.#last.epoch + 1)
      throw new FencedError(`epoch ${row.epoch} does not follow the last epoch`);
    this.epochs.push(row);
    this.tables.push(new PlacementTable(row.table));
    this.#outbox.add(row.epoch);
    this.target = target
      ? { table: target, sinceMs: nowMs, phases: new Map(phases) }
      : { ...this.target, phases: new Map(phases) };
    this.onCommit(row, lease.fence);
  }

  outboxFor(coordinator: Address): OutboxStore {
    const item = (epoch: number): OutboxItem => {
      const { root, manifest, table, delta } = this.epochs[epoch - 1]!;
      return { epoch, root, manifest, snapshot: table, delta };
    };
    // Without the guard it is a list in memory: what this life did not commit itself it knows nothing of.
    const since = this.#without.has('replay') ? this.#last.epoch : 0;
    return {
      next: () =>
        this.#ask(coordinator, 'next in outbox', () => {
          const epochs = [...this.#outbox].filter((epoch) => epoch > since);
          return epochs.length > 0 ? item(Math.min(...epochs)) : undefined;
        }),
      remove: (epoch) =>
        this.#ask(coordinator, 'published', () => {
          for (const each of this.#outbox) if (each <= epoch) this.#outbox.delete(each);
        }),
      republishLast: () =>
        this.#ask(coordinator, 'publish again', () => {
          this.#outbox.add(this.#last.epoch);
        }),
      cosignatures: () => this.#ask(coordinator, 'cosignatures', () => []),
      revocations: () => this.#ask(coordinator, 'revocations', () => []),
    };
  }

  /** The process goes; what is on its disk stays. */
  kill(): void {
    this.#world.kill(POSTGRES);
    this.#calls.ended(POSTGRES, false);
  }

  restart(): void {
    this.#world.start(POSTGRES, () => {});
  }
}

function hex(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, PREFIX_BYTES).toString('hex');
}
