const NAME_CHARACTERS_MAX = 64;

/** A name fit to show: one line, no control or direction-changing characters, bounded; undefined when nothing is left. */
export function displayName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const clean = value
    .slice(0, NAME_CHARACTERS_MAX * 8)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return [...clean].slice(0, NAME_CHARACTERS_MAX).join('') || undefined;
}
