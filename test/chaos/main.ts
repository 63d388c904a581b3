import { parseArgs } from 'node:util';
import { FAULTS } from './cluster/faults.ts';
import { runAlone } from './cluster/run-alone.ts';
import { runChaos } from './cluster/run-chaos.ts';
import { randomOf } from './random.ts';

const HELP = `npm run chaos -- [options]

Three NATS servers, PostgreSQL, two coordinators and seven members as processes of their own, hurt one fault at a time while
clients write and read everywhere and keep their own book. Ends with a line of JSON; exit code 1 when something that was
acknowledged is lost, a read found a gap, or a request was not answered. Two cores and 3 GB of memory are enough.

  --rounds N        faults, the first ones each kind once (default 26)
  --only NAME       this fault only; may be repeated. One of:
                    ${FAULTS.map(({ name }) => name).join(', ')}
  --alone MINUTES   instead: so many minutes without coordinators, NATS and PostgreSQL
  --members N --coordinators N --nats N   (7, 2, 3)
  --authors N       accounts that write (60)
  --pause MS        between two writes of a writer; four writers a member (200)
  --seed N          of the choice of faults and victims (1)

Examples:
  npm run chaos
  npm run chaos -- --rounds 5 --only 'member killed' --seed 7
  npm run chaos -- --alone 10`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '26' },
    only: { type: 'string', multiple: true, default: [] },
    alone: { type: 'string' },
    members: { type: 'string', default: '7' },
    coordinators: { type: 'string', default: '2' },
    nats: { type: 'string', default: '3' },
    authors: { type: 'string', default: '60' },
    pause: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const unknown = values.only.filter((name) => !FAULTS.some((fault) => fault.name === name));
if (unknown.length > 0) {
  console.error(`no fault is called ${unknown.join(', ')}; --help lists them`);
  process.exit(64);
}

const common = {
  members: Number(values.members),
  coordinators: Number(values.coordinators),
  natsServers: Number(values.nats),
  authors: Number(values.authors),
  pauseMs: Number(values.pause),
  random: randomOf(Number(values.seed)),
  report: (text: string) => console.log(text),
};
const result = values.alone
  ? await runAlone({ ...common, minutes: Number(values.alone), killMember: true })
  : await runChaos({ ...common, rounds: Number(values.rounds), only: values.only });
const { gaps, unanswered, lost, weakLost, ...rest } = result;
for (const gap of gaps.slice(0, 5)) console.log(`gap: ${JSON.stringify(gap)}`);
for (const one of unanswered.slice(0, 5)) console.log(`unanswered: ${JSON.stringify(one)}`);
const failoverMs = 'failoverMs' in rest ? quantiles(rest.failoverMs as number[]) : undefined;
console.log(
  JSON.stringify({
    seed: Number(values.seed),
    ...rest,
    ...(failoverMs ? { failoverMs } : {}),
    lost: lost.length,
    weakLost: weakLost.length,
    gaps: gaps.length,
    unanswered: unanswered.length,
  }),
);
process.exit(lost.length + gaps.length + unanswered.length > 0 ? 1 : 0);

function quantiles(sorted: readonly number[]): object {
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1) };
}
