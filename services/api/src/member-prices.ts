import { movePrices, PRICE_ONE, priceOf } from '@covey/placement';
import type { TableMember } from '@covey/table';
import type { MemberStates } from './member-states.ts';

/** How often loads are looked at. */
export const SAMPLE_MS = 10_000;
/** Looks behind one move of the prices: ten minutes, as clients plan anew seldom and old plans go on. */
const SAMPLES_A_STEP = 60;

export interface MemberPrice {
  id: string;
  /** In units of 1 / PRICE_ONE: among relays of equal gain, for opening one and for reading from one. */
  open: number;
  read: number;
}

interface Held {
  openLog: number;
  readLog: number;
  samples: number;
  connections: number;
  reads: number;
}

/**
 * The published prices of the reader's rule: each member's moves by its load, from heartbeats, against the mean, each for
 * its declared capacity (`@covey/placement`, `movePrices`). All are equal until loads were heard. Placement never depends on
 * them; they divide readers among relays that serve them equally well.
 */
export class MemberPrices {
  readonly #states: MemberStates;
  #held = new Map<string, Held>();
  #members: readonly TableMember[] = [];
  #samples = 0;

  constructor(states: MemberStates) {
    this.#states = states;
  }

  /** Sets whose prices are published; those of members that stay go on. */
  retain(members: readonly TableMember[]): void {
    const next = new Map<string, Held>();
    for (const { id } of members)
      next.set(id, this.#held.get(id) ?? { openLog: 0, readLog: 0, samples: 0, connections: 0, reads: 0 });
    this.#held = next;
    this.#members = members;
  }

  /** To be called every SAMPLE_MS. Members that are not up, or declare no capacity, are left out. */
  sample(): void {
    for (const [id, held] of this.#held) {
      const { state, load } = this.#states.report(id);
      if (state !== 'up' || !load) continue;
      held.samples++;
      held.connections += load.connections;
      held.reads += load.readsPerSecond;
    }
    if (++this.#samples < SAMPLES_A_STEP) return;
    this.#samples = 0;
    this.#step();
  }

  #step(): void {
    const held = this.#members.map(({ id }) => this.#held.get(id)!);
    const openLogs = Int32Array.from(held, ({ openLog }) => openLog);
    const readLogs = Int32Array.from(held, ({ readLog }) => readLog);
    const mean = (what: 'connections' | 'reads') =>
      this.#members.map(({ capacity }, i) => {
        const { samples, [what]: sum } = held[i]!;
        return samples > 0 && capacity[what] > 0 ? sum / samples / capacity[what] : Number.NaN;
      });
    movePrices(openLogs, mean('connections'));
    movePrices(readLogs, mean('reads'));
    held.forEach((member, i) => {
      Object.assign(member, {
        openLog: openLogs[i],
        readLog: readLogs[i],
        samples: 0,
        connections: 0,
        reads: 0,
      });
    });
  }

  of(id: string): MemberPrice {
    const held = this.#held.get(id);
    if (!held) return { id, open: PRICE_ONE, read: PRICE_ONE };
    return { id, open: priceOf(held.openLog), read: priceOf(held.readLog) };
  }
}
