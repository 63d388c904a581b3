import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { MemberStates } from './member-states.ts';
import type { PlacementView } from './placement-view.ts';

/** Prometheus metrics, in a registry of the server's own. Labels take values from routes and members only: bounded. */
export class ApiMetrics {
  readonly registry = new Registry();
  readonly planKeys: Counter;
  readonly planSeconds: Histogram;
  /** Requests by route and status: plain numbers on the hot path, read when Prometheus asks. */
  readonly #requests = new Map<string, { route: string; method: string; status: number; count: number }>();

  constructor(states: MemberStates, view: () => PlacementView | undefined) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.planKeys = new Counter({
      name: 'covey_api_plan_keys_total',
      help: 'Public keys planned for.',
      registers,
    });
    this.planSeconds = new Histogram({
      name: 'covey_api_plan_seconds',
      help: 'Time to compute a plan, the reading of its body not counted.',
      buckets: [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1],
      registers,
    });
    const requests = this.#requests;
    new Counter({
      name: 'covey_api_requests_total',
      help: 'Requests answered.',
      labelNames: ['method', 'route', 'status'],
      registers,
      collect() {
        this.reset();
        for (const { route, method, status, count } of requests.values())
          this.inc({ method, route, status }, count);
      },
    });
    new Gauge({
      name: 'covey_api_epoch',
      help: 'Epoch that answers come from; 0 when there is none.',
      registers,
      collect() {
        this.set(view()?.epoch ?? 0);
      },
    });
    new Gauge({
      name: 'covey_api_accounts',
      help: 'Accounts that the table lists.',
      registers,
      collect() {
        this.set(view()?.table.accounts ?? 0);
      },
    });
    new Gauge({
      name: 'covey_api_members',
      help: 'Members of the table by the state in which they are seen from here.',
      labelNames: ['state'],
      registers,
      collect() {
        const counts = { up: 0, late: 0, down: 0, unknown: 0 };
        for (const { id } of view()?.table.members ?? []) counts[states.report(id).state]++;
        for (const [state, count] of Object.entries(counts)) this.set({ state }, count);
      },
    });
  }

  /** Counts every answer of `http` as it is sent: `onResponse` would cost a listener a request, some 5 % of a look-up. */
  watch(http: FastifyInstance): void {
    http.addHook('onSend', (request, reply, _payload, done) => {
      const route = request.routeOptions.url ?? 'none';
      const key = `${request.method} ${route} ${reply.statusCode}`;
      const entry = this.#requests.get(key);
      if (entry) entry.count++;
      else this.#requests.set(key, { route, method: request.method, status: reply.statusCode, count: 1 });
      done();
    });
  }
}
