import type { CurrentTable } from '@covey/nats';
import { memberNumber } from '@covey/placement';
import type { PlacementTable, TableGroup } from '@covey/table';
import { type Holdings, holdingsOf } from './holdings.ts';

/**
 * What the routes need of one epoch, prepared: answers are the same for all keys of a group, so each group's part of
 * the JSON and its list of readable members are made once, when first asked for. Replaced whole with the next epoch.
 */
export class PlacementView {
  readonly current: CurrentTable;
  readonly #answers = new Map<number, string>();
  readonly #holders: (readonly number[] | undefined)[] = [];
  #holdings: Holdings[] | undefined;
  #memberNumbers: Uint32Array | undefined;

  constructor(current: CurrentTable) {
    this.current = current;
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
      ...(move ? { move: { phase: move.phase, from: this.#relays(move.from) } } : {}),
    };
    return JSON.stringify(fields).slice(1);
  }

  #relays({ members, copies }: Pick<TableGroup, 'members' | 'copies'>) {
    const relays = members.map((member) => {
      const { id, url } = this.table.members[member]!;
      return { id, url };
    });
    return { master: relays[0]!, replicas: relays.slice(1, copies), readCopies: relays.slice(copies) };
  }

  /** Members from which a key can be read now, master first: while a group moves, the list that its phase reads. */
  holders(key: Uint8Array): readonly number[] {
    const group = this.table.groupOf(key);
    return (this.#holders[group] ??= this.#readable(key));
  }

  #readable(key: Uint8Array): readonly number[] {
    const { members, move } = this.table.locate(key);
    const readsOld = move?.phase === 'write-both-read-old' || move?.phase === 'copy';
    return readsOld ? move!.from.members : members;
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
