/**
 * Real servers for integration tests. By default each suite starts its own, on free ports of loopback, in a temporary
 * directory; DATABASE_URL, NATS_URL and REDIS_URL name servers that run already, and then a suite gets a database of its
 * own, or the streams of its own cluster there. Whatever was started ends with the test process, even when that is killed.
 */

export { freePort } from './free-port.ts';
export { temporaryDirectory } from './native-server.ts';
export { startNats, type TestNats } from './nats.ts';
export { startPostgres, type TestPostgres } from './postgres.ts';
export { REDIS_MISSING, startRedis } from './redis.ts';
