import type { Verdicts } from './verdicts.ts';

const LISTS = ['suspect', 'returning', 'dead', 'absent'] as const;
/** From well to worst: who is held absent is held dead as well. */
const WORSE: Record<(typeof LISTS)[number], readonly (typeof LISTS)[number][]> = {
  suspect: ['suspect', 'dead', 'absent'],
  returning: ['returning'],
  dead: ['dead', 'absent'],
  absent: ['absent'],
};

/**
 * What most of the members hold, for those who watch from outside: a member stands so when more than half of the reports say
 * so, or worse. What a member says of itself counts like any other report.
 */
export function agreedVerdicts(reports: readonly Verdicts[]): Verdicts {
  const needed = Math.floor(reports.length / 2) + 1;
  const lists: Record<(typeof LISTS)[number], string[]> = {
    suspect: [],
    returning: [],
    dead: [],
    absent: [],
  };
  const named = new Set(reports.flatMap((report) => LISTS.flatMap((name) => report[name])));
  for (const member of [...named].sort()) {
    const holding = (name: (typeof LISTS)[number]) =>
      reports.filter((report) => WORSE[name].some((worse) => report[worse].includes(member))).length;
    const standing = (['absent', 'dead', 'returning', 'suspect'] as const).find(
      (name) => holding(name) >= needed,
    );
    if (standing) lists[standing].push(member);
  }
  return { ...lists, majority: reports.filter(({ majority }) => majority).length >= needed };
}
