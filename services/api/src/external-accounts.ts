import { placementOf } from '@covey/enforcement';
import type { AccountOrigins } from './account-origins.ts';
import type { PlacementView } from './placement-view.ts';

/** External accounts that are kept for one member; what it may mirror is less. */
export const EXTERNAL_MAX = 5000;

export interface ExternalAccount {
  pubkey: string;
  write: string[];
}

/** External accounts by the member that is their master: made once for each epoch and reading of relay lists. */
export class ExternalAccounts {
  readonly #origins: AccountOrigins;
  #made: { view: PlacementView; version: number; byMember: ExternalAccount[][] } | undefined;

  constructor(origins: AccountOrigins) {
    this.#origins = origins;
  }

  /** Listed accounts alone: what nobody follows stands in no group. In the order of their keys. */
  of(view: PlacementView, member: number): readonly ExternalAccount[] {
    const { version } = this.#origins;
    if (this.#made?.view !== view || this.#made.version !== version)
      this.#made = { view, version, byMember: this.#make(view) };
    return this.#made.byMember[member]!;
  }

  #make({ table }: PlacementView): ExternalAccount[][] {
    const byMember: ExternalAccount[][] = table.members.map(() => []);
    for (const { key, write } of this.#origins.external()) {
      if (table.listedGroupOf(key) < 0) continue;
      const list = byMember[placementOf(table, key).writers[0]!]!;
      if (list.length < EXTERNAL_MAX) list.push({ pubkey: Buffer.from(key).toString('hex'), write });
    }
    for (const list of byMember) list.sort((a, b) => (a.pubkey < b.pubkey ? -1 : 1));
    return byMember;
  }
}
