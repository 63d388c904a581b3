import { noGroup, type PreviousPlacement } from './problem.ts';

/**
 * The share of accounts known to both placements whose set of copies changed (order does not count), 0 .. 1.
 * Members are compared by id where both carry ids, else by index.
 */
export function moved(
  previous: PreviousPlacement,
  next: PreviousPlacement & { groups: PreviousPlacement['groups'] },
): number {
  const accounts = Math.min(previous.groupOf.length, next.groupOf.length);
  if (accounts === 0) return 0;
  const names = (placement: PreviousPlacement): string[] =>
    placement.groups.map((group) =>
      group.members
        .map((member) => (previous.members && next.members ? placement.members?.[member] : String(member)))
        .sort()
        .join('\n'),
    );
  const before = names(previous);
  const after = names(next);
  let changed = 0;
  for (let account = 0; account < accounts; account++) {
    const from = previous.groupOf[account];
    const to = next.groupOf[account];
    if ((from === noGroup ? '' : before[from]) !== (to === noGroup ? '' : after[to])) changed++;
  }
  return changed / accounts;
}
