import type { LivenessConfig } from './config.ts';

/**
 * Time from suspicion to verdict: long while one member alone suspects, shorter with each that confirms it by a probe of its
 * own (Lifeguard, section IV-B). With nobody else to confirm it is short at once.
 * @param confirmations members beside the first that suspect it
 * @param others members that could confirm
 */
export function suspicionMs(
  config: Pick<LivenessConfig, 'suspicionMsMin' | 'suspicionMsMax' | 'confirmations'>,
  confirmations: number,
  others: number,
): number {
  const { suspicionMsMin, suspicionMsMax } = config;
  const wanted = Math.min(config.confirmations, others);
  if (wanted <= 0 || confirmations >= wanted) return suspicionMsMin;
  const part = Math.log2(confirmations + 1) / Math.log2(wanted + 1);
  return Math.ceil(suspicionMsMax - (suspicionMsMax - suspicionMsMin) * part);
}
