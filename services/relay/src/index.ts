export { type FollowConfig, type RelayConfig, readConfig } from './config.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { Member } from './member.ts';
export { Relay, type RelayOptions } from './relay.ts';
export { type AppliedTable, FixedTable, type TableSource } from './table-source.ts';
