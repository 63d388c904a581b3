export { connectNats, NatsLink, type NatsOptions } from './link.ts';
export { createNkey, InvalidNkeyError, publicNkey } from './nkeys.ts';
export {
  InvalidNatsUserError,
  type NatsServerSettings,
  type NatsUser,
  natsServerConfig,
  natsUsersConfig,
} from './server-config.ts';
export { type CurrentTable, TableCache, type TableStorage } from './table-cache.ts';
export {
  type Refusal,
  TableFollower,
  type TableFollowerOptions,
  TooFewSignaturesError,
} from './table-follower.ts';
export { type Publication, TablePublisher } from './table-publisher.ts';
export { type HttpGet, type TableLink, TableUnavailableError } from './table-ways.ts';
