import { type RunState, removeRunState, writeRunState } from '@covey/config';
import { banner, EXAMPLES, shortest } from './banner.ts';
import { apiUrl } from './child-specs.ts';
import { type ClusterStatus, getJson, hasUrlsOf, laggards, waitForEpoch } from './cluster-status.ts';
import { markStarted } from './first-start.ts';
import type { Identity } from './identity.ts';
import { LocalCluster } from './local-cluster.ts';
import { LogFiles } from './log-files.ts';
import { type PreparedHome, prepare } from './preparation.ts';
import { removeProcessList } from './process-list.ts';
import { Progress, seconds, terminalOf } from './progress.ts';
import type { UpSettings } from './settings.ts';
import { StopRequest } from './stop-request.ts';
import { ChildFailedError } from './supervised-child.ts';
import { Supervisor } from './supervisor.ts';
import { UP_EXIT, UpError } from './up-error.ts';

/** Between the coordinator's word that the epoch is published and the last member's that it applies it. */
/** Placing may take minutes on a slow machine; meanwhile the lines above say what is under way. */
const APPLY_MS_MAX = 600_000;
const LOG_LINES_SHOWN = 5;
const LOG_LINES_READ = 40;

/**
 * Starts a local cluster, and stops it when told to: by a signal, or by the end of what started it. Resolves when all is
 * gone. @throws UpError when it does not start; then nothing is left running.
 */
export async function runUp(settings: UpSettings): Promise<void> {
  // With --json standard output is for the program that reads it; people look at standard error.
  const progress = new Progress(terminalOf(settings.json ? process.stderr : process.stdout));
  const stop = new StopRequest();
  const home = await prepare(settings, progress);
  progress.line(intro(settings, home.isFirst));
  try {
    await runCluster(settings, home, progress, stop);
  } finally {
    home.release();
  }
}

async function runCluster(
  settings: UpSettings,
  home: PreparedHome,
  progress: Progress,
  stop: StopRequest,
): Promise<void> {
  const { paths, identity, embedded, isFirst } = home;
  const logs = new LogFiles(paths.logsDir);
  logs.start();
  let state: RunState | undefined;
  const onPids = () => {
    if (state) writeRunState(paths.root, (state = { ...state, pids: supervisor.pids }));
  };
  const supervisor: Supervisor = new Supervisor({
    home: paths.root,
    logs,
    progress,
    random: Math.random,
    onPids,
  });
  const cluster = new LocalCluster({ settings, paths, identity, embedded, supervisor, progress });
  try {
    const starting = cluster.start();
    starting.catch(() => {}); // when a stop comes first, how the start ends is of no interest
    const urls = await Promise.race([starting, stop.requested]);
    const status = urls && (await readyStatus(settings, identity.members, progress, stop.signal));
    if (!urls || !status || stop.signal.aborted) return;
    state = runState(settings, home, urls, supervisor.pids);
    writeRunState(paths.root, state);
    markStarted(paths, status.epoch);
    if (settings.json)
      process.stdout.write(`${JSON.stringify(readyLine(state, status, settings, isFirst))}\n`);
    else progress.line(await readyBanner(settings, status, isFirst, progress));
    await stop.requested;
  } catch (error) {
    throw error instanceof ChildFailedError ? childFailed(error, logs) : error;
  } finally {
    const sinceMs = performance.now();
    progress.end();
    progress.line(`Stopping ${runningParts(supervisor.pids) || 'nothing'} …`);
    state = undefined;
    removeRunState(paths.root);
    await cluster.stop();
    logs.stop();
    removeProcessList(paths.root);
    progress.line(
      `Stopped after ${seconds(performance.now() - sinceMs)}; data stays in ${shortest(settings.home)}.`,
    );
  }
}

function intro({ home, databaseUrl, natsUrl, redisUrl, snapshot }: UpSettings, isFirst: boolean): string {
  const real = [databaseUrl && 'DATABASE_URL', natsUrl && 'NATS_URL', redisUrl && 'REDIS_URL'].filter(
    Boolean,
  );
  const servers = real.length > 0 ? ` Real servers by ${real.join(', ')}.` : '';
  return isFirst
    ? `Covey starts for the first time in ${shortest(home)}: it makes keys and databases${snapshot ? ' and reads the follow graph' : ''}.${servers}`
    : `Covey resumes from ${shortest(home)}.${servers}`;
}

/** In the order in which they stop. */
function runningParts(pids: Record<string, number>): string {
  const members = Object.keys(pids).filter((name) => name.startsWith('member-')).length;
  const servers = ['coordinator', 'nats', 'postgres'].filter((name) => pids[name]);
  return [...(pids['api'] ? ['api'] : []), ...(members > 0 ? [`${members} members`] : []), ...servers].join(
    ', ',
  );
}

/** Waits until members apply the epoch. @throws UpError when there is none in time. */
async function readyStatus(
  settings: UpSettings,
  members: Identity['members'],
  progress: Progress,
  signal: AbortSignal,
): Promise<ClusterStatus | undefined> {
  const status = await waitForEpoch(apiUrl(settings), members, APPLY_MS_MAX, signal);
  if (signal.aborted) return undefined;
  if (!status?.ready)
    throw new UpError(
      UP_EXIT.internal,
      `all processes run, and the API has no placement table after ${seconds(APPLY_MS_MAX)}.\nNext: look into the logs of coordinator and api in ${settings.home}/logs`,
    );
  const late = laggards(status);
  progress.done(
    'coordinator',
    `epoch ${status.epoch}, applied by ${status.members.length - late.length} of ${status.members.length} members`,
  );
  if (late.length > 0)
    progress.warn(`not yet by ${late.join(', ')}; their logs are in ${settings.home}/logs`);
  if (!hasUrlsOf(status, members))
    progress.warn(
      'the table still has members at other ports than they have now; the next epoch corrects that',
    );
  progress.end();
  return status;
}

function runState(
  settings: UpSettings,
  { paths, identity }: PreparedHome,
  urls: { databaseUrl: string; natsUrl: string },
  pids: Record<string, number>,
): RunState {
  const { cluster, ports, redisUrl, natsNkeyFile, natsCredsFile } = settings;
  return {
    pid: process.pid,
    cluster,
    startedAt: new Date().toISOString(),
    apiUrl: apiUrl(settings),
    ...urls,
    ...(natsCredsFile ? { natsCredsFile } : { natsNkeyFile: natsNkeyFile ?? paths.nkeyFile('coordinator') }),
    ...(redisUrl ? { redisUrl } : {}),
    roots: [identity.root],
    members: identity.members.map(({ id, url, name }) => ({ id, url, name })),
    ports: {
      api: ports.api,
      ...Object.fromEntries(identity.ownMembers.map(({ n }) => [`member-${n}`, ports.member(n)])),
      coordinator: ports.coordinator,
      ...(settings.natsUrl ? {} : { nats: ports.nats }),
      ...(settings.databaseUrl ? {} : { postgres: ports.postgres }),
    },
    pids,
  };
}

/** The line of --json: where everything is, without passwords. */
function readyLine(
  { pid, pids, members, ports }: RunState,
  status: ClusterStatus,
  settings: UpSettings,
  isFirst: boolean,
) {
  const { epoch, accounts, follows, communities } = status;
  const url = apiUrl(settings);
  const counts = { accounts, follows, communities };
  return {
    ...{ ready: true, apiUrl: url, dashboardUrl: url, docsUrl: `${url}/docs`, members, ports },
    ...{
      pid,
      pids,
      epoch,
      counts,
      firstStart: isFirst,
      home: settings.home,
      msToReady: Math.round(performance.now()),
    },
  };
}

async function readyBanner(
  settings: UpSettings,
  status: ClusterStatus,
  isFirst: boolean,
  progress: Progress,
): Promise<string> {
  const url = apiUrl(settings);
  const example = await findExample(url);
  return banner({ settings, apiUrl: url, status, example, isFirst, msToReady: performance.now() }, progress);
}

/** An account that the table lists. */
async function findExample(url: string): Promise<string | undefined> {
  for (const pubkey of EXAMPLES) {
    const placement = await getJson<{ source: string }>(`${url}/v1/placements/${pubkey}`);
    if (placement && placement.source !== 'slot') return pubkey;
  }
  return undefined;
}

function childFailed(error: ChildFailedError, logs: LogFiles): UpError {
  const said = logs
    .tail(error.child, LOG_LINES_READ)
    .filter((line) => !/^\s+at |^\s*$|^Node\.js v/.test(line)) // a stack tells users nothing; the log has it
    .slice(-LOG_LINES_SHOWN)
    .map((line) => `  ${readable(line)}`);
  const log = `${error.message}; the end of its log, ${logs.path(error.child)}:\n${said.join('\n')}`;
  const next =
    error.child === 'postgres'
      ? 'if its data is damaged, restore the home from a backup, or move it away and start anew'
      : 'put right what the log says and start again; what was done so far is kept';
  return new UpError(UP_EXIT.internal, `${log}\nNext: ${next}`, { cause: error });
}

/** A structured log line as its message; other lines as they are. */
function readable(line: string): string {
  try {
    const { msg, err, error } = JSON.parse(line) as {
      msg?: string;
      err?: { message?: string };
      error?: string;
    };
    return [msg, err?.message ?? error].filter(Boolean).join(': ') || line;
  } catch {
    return line;
  }
}
