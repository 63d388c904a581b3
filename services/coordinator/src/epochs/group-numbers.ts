import type { TableGroup } from '@covey/table';

/**
 * Numbers for new groups that keep the numbers of the epoch before where the list is the same, so that the rows of
 * accounts that did not move do not change either. Numbers that nobody claims are given to the other groups in order.
 * @param previous account groups of the epoch before (without slots).
 * @returns number of each new group; groups then fill `count` places, those that nobody took keep `previous`' list.
 */
export function numberGroups(
  previous: readonly TableGroup[],
  next: readonly TableGroup[],
): { numbers: Uint32Array; count: number } {
  const keyOf = (group: TableGroup) =>
    `${group.members.join()}/${group.copies}/${group.hub ? 1 : 0}${group.pinned ? 1 : 0}`;
  const free = new Map<string, number[]>();
  previous.forEach((group, number) => {
    const key = keyOf(group);
    const same = free.get(key);
    if (same) same.push(number);
    else free.set(key, [number]);
  });
  for (const same of free.values()) same.reverse(); // lowest number is taken first
  const numbers = new Uint32Array(next.length);
  const taken = new Uint8Array(Math.max(previous.length, next.length));
  const waiting: number[] = [];
  next.forEach((group, i) => {
    const number = free.get(keyOf(group))?.pop();
    if (number === undefined) waiting.push(i);
    else {
      numbers[i] = number;
      taken[number] = 1;
    }
  });
  let number = 0;
  for (const i of waiting) {
    while (taken[number]) number++;
    numbers[i] = number;
    taken[number++] = 1;
  }
  let count = taken.length;
  while (count > 0 && !taken[count - 1]) count--;
  return { numbers, count };
}
