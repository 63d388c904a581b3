import type { PlacementTable } from '@covey/table';
import { routeOf } from './group-route.ts';

const NOBODY = -1;

/** Where an account is written (master first) and read now, as member indexes: what a client is told. */
export function placementOf(
  table: PlacementTable,
  pubkey: string,
): { writers: readonly number[]; readers: readonly number[] } {
  const { move, ...group } = table.locate(pubkey);
  const { writers, readers } = routeOf(group, move, NOBODY);
  return { writers, readers };
}
