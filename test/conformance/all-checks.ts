import { EXTENSION_CHECKS } from './extension-checks.ts';
import { CHECKS, type Check } from './relay-checks.ts';

/** Every check there is: the basic ones, then those of NIPs that a relay may offer. */
export const ALL_CHECKS: readonly Check[] = [...CHECKS, ...EXTENSION_CHECKS];
