export {
  DELIVERED_ACCOUNTS_MAX,
  DELIVERED_HASHTAGS_MAX,
  type DeliveryKeys,
  deliveryKeys,
  isDelivered,
} from './delivery.ts';
export {
  type Decision,
  type DecisionReason,
  type Delivery,
  Enforcer,
  type HeldGroup,
  HOPS_MAX,
  isProtected,
  type Origin,
  WRITE_MODES,
  type WriteMode,
} from './enforcer.ts';
export { type Ask, type FilterRoute, filterKeys } from './filter-route.ts';
export { type OverlaidList, Overlay } from './overlay.ts';
export { placementOf } from './placement-of.ts';
export { isPlacedByTagged, PLACED_BY_TAGGED, placingKeys, TAGGED_KEYS_MAX } from './placing-keys.ts';
