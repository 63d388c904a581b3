export {
  type Decision,
  type DecisionReason,
  Enforcer,
  HOPS_MAX,
  isProtected,
  type Origin,
  WRITE_MODES,
  type WriteMode,
} from './enforcer.ts';
export type { Ask, FilterRoute } from './filter-route.ts';
export { isPlacedByTagged, PLACED_BY_TAGGED, placingKeys, TAGGED_KEYS_MAX } from './placing-keys.ts';
