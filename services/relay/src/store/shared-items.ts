import type { NegentropyItem, NostrEvent } from '@covey/nostr';
import type { RepairScope } from '../members/repair-scope.ts';
import { authorOf, idOf } from './answer.ts';

/** What tells where an event belongs. */
export type Belonging = Pick<NostrEvent, 'kind' | 'pubkey' | 'tags'>;

/** Reads ids and dates of what is stored, for a comparison with another member. */
export interface SharedItems {
  /** Those in a scope that `belongs` lets through; undefined when there are more than `max`. */
  read(
    scope: RepairScope,
    belongs: (event: Belonging) => boolean,
    max: number,
  ): Promise<NegentropyItem[] | undefined>;
}

export interface ItemRow {
  json: string;
  created_at: number;
  head: number;
  kind: number;
}

/** A tag that says where an event belongs, or that it may not be copied. */
const TELLING_TAG = /\["[peqt-]"/;

/** Most events tag nothing that counts; parsing them would be most of the work. Fields stand in a fixed order. */
export function belongingOf({ json, kind }: ItemRow): Belonging {
  return TELLING_TAG.test(json) ? JSON.parse(json) : { kind, pubkey: authorOf(json), tags: [] };
}

export function itemOf({ json, created_at }: ItemRow): NegentropyItem {
  return { id: idOf(json), createdAt: created_at };
}
