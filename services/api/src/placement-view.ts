import { Overlay, placementOf } from '@covey/enforcement';
import type { MemberVerdicts } from '@covey/liveness';
import type { CurrentTable } from '@covey/nats';
import { memberNumber } from '@covey/placement';
import type { PlacementTable, TableGroup } from '@covey/table';
import { type Holdings, holdingsOf } from './holdings.ts';

/**
 * What the routes need of one epoch, prepared: answers are the same for all keys of a group, so each group's part of
 * the JSON and its list of readable members are made once, when first asked for. Replaced whole with the next epoch, and when
 * a member dies or serves again.
 */
export class PlacementView {
  readonly current: CurrentTable;
  readonly #answers = new Map<number, string>();
  readonly #holders: (readonly number[] | undefined)[] = [];
  #holdings: Holdings[] | undefined;
  #memberNumbers: Uint32Array | undefined;
  readonly #overlay: Overlay | undefined;

  /** @param verdicts who is dead, as most members say */
  constructor(current: CurrentTable, verdicts?: MemberVerdicts) {
    this.current = current;
    this.#overlay = verdicts && Overlay.of(current.table, verdicts);
  }

  get table(): PlacementTable {
    return this.current.table;
  }

  get epoch(): number {
    return this.current.manifest.epoch;
  }

  /** The JSON text that answers a look-up. @param key 32 bytes. */
  placementJson(pubkey: string, key: Uint8Array): string {
    const listed = this.table.listedGroupOf(key);
    const group = listed >= 0 ? listed : this.table.groupOf(key);
    // A listed key never lies in a slot's group, nor the other way round, so the group decides the whole answer.
    let answer = this.#answers.get(group);
    if (answer === undefined) this.#answers.set(group, (answer = this.#answer(key)));
    return `{"pubkey":"${pubkey}",${answer}`;
  }

  #answer(key: Uint8Array): string {
    const { source, group, hub, move, ...list } = this.table.locate(key);
    const fields = {
      epoch: this.epoch,
      source,
      group,
      hub,
      ...this.#relays(list),
      ...this.#now(key, [...list.members, ...(move?.from.members ?? [])]),
      ...(move ? { move: { phase: move.phase, from: this.#relays(move.from) } } : {}),
    };
    return JSON.stringify(fields).slice(1);
  }

  /** Where it is written and read while one of its members does not serve. */
  #now(key: Uint8Array, members: readonly number[]): { now?: { write: string[]; read: string[] } } {
    const overlay = this.#overlay;
    if (!overlay || members.every((member) => overlay.serves(member))) return {};
    const urls = (list: readonly number[]) => list.map((member) => this.table.members[member]!.url);
    const { writers, readers } = placementOf(this.table, key, overlay);
    return { now: { write: urls(writers), read: urls(readers) } };
  }

  #relays({ members, copies }: Pick<TableGroup, 'members' | 'copies'>) {
    const relays = members.map((member) => {
      const { id, url } = this.table.members[member]!;
      return { id, url };
    });
    return { master: relays[0]!, replicas: relays.slice(1, copies), readCopies: relays.slice(copies) };
  }

  /** Members from which a key can be read now, (acting) master first: none while no copy lives. */
  holders(key: Uint8Array): readonly number[] {
    const group = this.table.groupOf(key);
    return (this.#holders[group] ??= placementOf(this.table, key, this.#overlay).readers);
  }

  /** By member index, for the reader's rule. */
  get memberNumbers(): Uint32Array {
    return (this.#memberNumbers ??= Uint32Array.from(this.table.members, ({ id }) => memberNumber(id)));
  }

  /** What each member holds, by member index. */
  get holdings(): readonly Holdings[] {
    return (this.#holdings ??= holdingsOf(this.table));
  }
}
