import type { Enforcer } from '@covey/enforcement';
import type { Listener } from './listener.ts';
import type { Failover } from './members/failover.ts';
import type { Filling } from './members/filling.ts';
import type { MemberLinks } from './members/member-links.ts';
import { replicationLag } from './members/replication-lag.ts';
import type { Upstreams } from './members/upstreams.ts';
import type { RelayMetrics } from './metrics.ts';
import type { MemberStore } from './store/member-store.ts';

export interface Gauged {
  listener: Listener;
  store: MemberStore;
  links: MemberLinks;
  upstreams: Upstreams;
  filling: Filling;
  enforcer: () => Enforcer;
  epoch: () => number;
  verifier: string;
  failover: Failover;
  /** Unix milliseconds. */
  clock: () => number;
}

/** Values that `/metrics` reads off the relay's parts when it is asked. */
export function registerGauges(metrics: RelayMetrics, parts: Gauged): void {
  const { listener, store, links, upstreams, filling, enforcer, clock } = parts;
  metrics.gauge('covey_relay_connections', 'Open connections', () => listener.connections);
  metrics.gauge('covey_relay_subscriptions', 'Open subscriptions', () => listener.subscriptions);
  metrics.gauge('covey_relay_events', 'Events stored', () => store.events.events);
  metrics.gauge('covey_relay_store_bytes', 'Size of the store', () => store.events.bytes);
  metrics.gauge('covey_relay_spooled', 'Events that wait for other members', () => store.spool.waiting);
  metrics.gauge('covey_relay_members_connected', 'Links to other members', () => links.connected);
  metrics.gauge('covey_relay_upstreams', 'Live subscriptions at other members', () => upstreams.count);
  metrics.gauge('covey_relay_filling_groups', 'Groups whose copy here is being filled', () => filling.size);
  metrics.gaugeByGroup(
    'covey_relay_replication_lag_seconds',
    'Age of the oldest event of a group that waits for another holder; the 50 groups that lag most',
    () => replicationLag(store.spool, enforcer(), clock()),
  );
  metrics.info('covey_relay_verifier', 'What checks signatures', { verifier: parts.verifier });
  metrics.gaugeBy(
    'covey_relay_members',
    'Members of the table, this one among them, by how they stand',
    'standing',
    () => parts.failover.standings,
  );
  metrics.gaugeBy(
    'covey_relay_failover_groups',
    'Groups that this member acts as master of, that it was appointed for, and that no copy lives of',
    'role',
    () => parts.failover.groups,
  );
  metrics.gauge('covey_relay_epoch', 'Epoch applied, 0 for none', parts.epoch);
}
