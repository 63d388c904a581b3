/** A supervisor with dummy children, run by reaper.test.ts as a process of its own, to be killed. */
import { LogFiles } from './log-files.ts';
import { Progress } from './progress.ts';
import { STAGE_NATS, STAGE_POSTGRES } from './reaper-protocol.ts';
import { Supervisor } from './supervisor.ts';
import { DEAF, dummy, WELL_BEHAVED } from './testing.ts';

const home = process.argv[2]!;
const logs = new LogFiles(home);
logs.start();
const silent = new Progress({ write: () => {}, rewrites: false, colours: false, columns: 80 });
const tell = () => process.send?.(supervisor.pids);
const supervisor: Supervisor = new Supervisor({
  home,
  logs,
  progress: silent,
  random: Math.random,
  onPids: () => tell(),
});

/** Notes the time of its end, when told to end, in a file. */
const server = (name: string, waitMs: number) =>
  `process.on('SIGTERM', () => setTimeout(() => { require('fs').writeFileSync(${JSON.stringify(`${home}/${name}.ended`)}, String(Date.now())); process.exit(0); }, ${waitMs})); setInterval(() => {}, 1000); process.send({ type: 'ready' });`;
const TERM = [
  { signal: 'SIGTERM', waitMs: 3_000 },
  { signal: 'SIGKILL', waitMs: 1_000 },
] as const;
const HANGS = [
  { signal: null, waitMs: 300 },
  { signal: 'SIGKILL', waitMs: 1_000 },
] as const;

await Promise.all([
  supervisor.start(
    dummy('postgres', server('postgres', 0), { stage: STAGE_POSTGRES, reapSteps: TERM, stopSteps: TERM }),
  ),
  supervisor.start(
    dummy('nats', server('nats', 100), { stage: STAGE_NATS, reapSteps: TERM, stopSteps: TERM }),
  ),
  supervisor.start(dummy('api', WELL_BEHAVED)),
  supervisor.start(dummy('member-1', DEAF, { reapSteps: HANGS })),
]);
process.send?.({ ...supervisor.pids, ready: 1 });
process.on('SIGTERM', async () => {
  await supervisor.stop([(name) => name === 'api', (name) => name === 'member-1', (name) => name === 'nats']);
  process.exit(0);
});
