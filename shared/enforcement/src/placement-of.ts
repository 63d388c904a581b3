import type { PlacementTable } from '@covey/table';
import { routeOf } from './group-route.ts';
import type { Overlay } from './overlay.ts';

const NOBODY = -1;

/**
 * Where an account is written (master first) and read now, as member indexes: what a client is told.
 * @param overlay who acts for members that are dead; both lists are empty while no copy lives
 */
export function placementOf(
  table: PlacementTable,
  pubkey: string | Uint8Array,
  overlay?: Overlay,
): { writers: readonly number[]; readers: readonly number[] } {
  const { move, group: number, ...group } = table.locate(pubkey);
  const { writers, readers, available } = routeOf(group, move, NOBODY, number, overlay);
  return { writers, readers: available ? readers : [] };
}
