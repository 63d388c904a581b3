import { ConfigError } from '@covey/config';
import { KIND } from '@covey/nostr';

/** Events of kinds `from` to `to` are kept for so long after their `created_at`. */
export interface RetentionRule {
  from: number;
  to: number;
  seconds: number;
}

const DAY_SECONDS = 86_400;
const RULES_MAX = 64;

/**
 * Rules as an operator writes them: `1=365,7=90,30000-39999=30` (kinds, then days). What deletes is always kept.
 * @throws ConfigError
 */
export function parseRetention(name: string, text: string): RetentionRule[] {
  const rules = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part): RetentionRule => {
      const match = /^(\d{1,5})(?:-(\d{1,5}))?=(\d{1,5})$/.exec(part);
      const from = Number(match?.[1]);
      const to = Number(match?.[2] ?? match?.[1]);
      if (!match || to > 65_535 || from > to || Number(match[3]) === 0)
        throw new ConfigError(
          `${name}: "${part}" is not kind=days or kind-kind=days, as in 1=365,30000-39999=30`,
        );
      return { from, to, seconds: Number(match[3]) * DAY_SECONDS };
    });
  if (rules.length > RULES_MAX) throw new ConfigError(`${name}: ${rules.length} rules; ${RULES_MAX} at most`);
  return rules;
}

/** Whether the rules let an event stay; the first that names its kind decides. */
export function isRetained(
  rules: readonly RetentionRule[],
  event: { kind: number; created_at: number },
  nowSeconds: number,
): boolean {
  if (event.kind === KIND.deletion || event.kind === KIND.vanish) return true;
  const rule = rules.find(({ from, to }) => event.kind >= from && event.kind <= to);
  return rule === undefined || event.created_at >= nowSeconds - rule.seconds;
}

/** The same rules as ranges of which none names a kind of another, without the kinds that are always kept. */
export function disjointRules(rules: readonly RetentionRule[]): RetentionRule[] {
  const taken: { from: number; to: number }[] = [KIND.deletion, KIND.vanish].map((k) => ({ from: k, to: k }));
  return rules.flatMap((rule) => {
    let free = [{ from: rule.from, to: rule.to }];
    for (const { from, to } of taken)
      free = free.flatMap((range) =>
        [
          { from: range.from, to: Math.min(range.to, from - 1) },
          { from: Math.max(range.from, to + 1), to: range.to },
        ].filter((part) => part.from <= part.to),
      );
    taken.push(rule);
    return free.map((range) => ({ ...range, seconds: rule.seconds }));
  });
}
