import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** What the coordinator measures of itself. One registry an instance, so that tests can run several in a process. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  return {
    registry,
    leading: gauge('covey_coordinator_leading', '1 while this coordinator leads'),
    epoch: gauge('covey_epoch', 'Newest epoch published by this coordinator'),
    members: gauge('covey_members', 'Members by state', ['state']),
    revoked: gauge('covey_coordinator_revoked', '1 when the root has revoked this coordinator’s key'),
    probeOk: gauge('covey_member_probe_ok', '1 when the last probe found nothing wrong', ['member', 'name']),
    probeMs: gauge('covey_member_probe_ms', 'From sending a probe event to its OK', ['member', 'name']),
    paused: gauge('covey_placement_paused', '1 while placement is paused by an order'),
    appliedMembers: gauge('covey_epoch_applied_members', 'Members that apply the newest epoch'),
    publishToAppliedMs: gauge(
      'covey_epoch_publish_to_applied_ms',
      'From publishing to the last member that applies, newest epoch',
    ),
    phaseMs: gauge('covey_epoch_phase_ms', 'Time of each phase of the last placement', ['phase']),
    accounts: gauge('covey_accounts', 'Accounts placed in the last epoch'),
    follows: gauge('covey_follows', 'Follows in the last epoch'),
    trustSeeds: gauge(
      'covey_trust_seeds',
      'Trusted seeds in the graph of the last epoch; 0: everybody counts alike',
    ),
    trustReaders: gauge('covey_trust_readers', 'Accounts that count as readers in the last epoch'),
    moved: gauge('covey_moved_accounts', 'Accounts that the last epoch moved'),
    movesWaiting: gauge(
      'covey_moves_waiting_groups',
      'Groups that can not go on yet, by what they wait for',
      ['reason'],
    ),
    moveSteps: new Counter({
      name: 'covey_move_steps_total',
      help: 'Epochs that took moves a step further',
      registers: [registry],
    }),
    jobsSetAside: gauge('covey_jobs_set_aside', 'Jobs that used up their tries', ['queue']),
    placementsFailed: new Counter({
      name: 'covey_placements_failed_total',
      help: 'Placements that ended in an error',
      registers: [registry],
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
