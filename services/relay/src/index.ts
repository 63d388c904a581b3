export { type FollowConfig, type RelayConfig, readConfig } from './config.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { Member } from './member.ts';
export { Relay, type RelayOptions } from './relay.ts';
export { openMemberStore } from './store/open-member-store.ts';
export { type AppliedTable, FixedTable, type TableSource } from './table-source.ts';
