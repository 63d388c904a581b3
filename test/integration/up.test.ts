import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type RunState, readRunState } from '@covey/config';
import { startNats, startPostgres, temporaryDirectory } from '../support/servers.ts';
import { freeBasePort, knownProcesses, MAIN, type ReadyLine, UpProcess } from '../support/up-process.ts';
import { waitFor } from '../support/wait-for.ts';

const directory = temporaryDirectory('up');
const home = join(directory, 'home');
const started: UpProcess[] = [];
let base: number;

/** Where the tests run on real servers: a database and a cluster of this suite's own there. */
const real: Record<string, string> = {};
const stops: (() => Promise<void>)[] = [];

function up(env: Record<string, string> = {}): UpProcess {
  const process = new UpProcess({ COVEY_HOME: home, COVEY_PORT: String(base), ...real, ...env });
  started.push(process);
  return process;
}

async function status(apiUrl: string) {
  const response = await fetch(`${apiUrl}/v1/status`);
  return (await response.json()) as {
    ready: boolean;
    epoch: number;
    members: { url: string; appliedEpoch: number }[];
  };
}

before(async () => {
  base = await freeBasePort();
  if (process.env['DATABASE_URL']) {
    const { url, stop } = await startPostgres();
    real['DATABASE_URL'] = url;
    stops.push(stop);
  }
  if (process.env['NATS_URL'] || process.env['REDIS_URL'])
    real['COVEY_CLUSTER'] = `up-${randomBytes(6).toString('hex')}`;
  if (process.env['NATS_URL']) {
    const { stop } = await startNats({ cluster: real['COVEY_CLUSTER']! });
    stops.push(stop);
  }
});
after(async () => {
  for (const process of started) {
    process.kill('SIGTERM');
    await process.exitCode();
  }
  for (const stop of stops) await stop();
  rmSync(directory, { recursive: true });
});

describe('covey up, from a new home to the next start', () => {
  let cluster: UpProcess;
  let line: ReadyLine;

  test('starts a whole cluster and says so in one line', async () => {
    cluster = up();
    line = await cluster.ready();
    assert.equal(cluster.stdout.trimEnd().split('\n').length, 1);
    assert.equal(line.firstStart, true);
    assert.equal(line.epoch, 1);
    assert.ok(line.msToReady > 0);
    const names = [
      'api',
      'coordinator',
      'member-1',
      'member-2',
      'member-3',
      'member-4',
      'member-5',
      'reaper',
    ];
    const servers = [
      ...(process.env['NATS_URL'] ? [] : ['nats']),
      ...(process.env['DATABASE_URL'] ? [] : ['postgres']),
    ];
    assert.deepEqual(Object.keys(line.pids).sort(), [...names, ...servers].sort());
    assert.ok((await status(line.apiUrl)).members.every(({ appliedEpoch }) => appliedEpoch === 1));
    assert.doesNotMatch(cluster.stdout + cluster.stderr, /postgres:\/\/\w+:[^@]/, 'a password is shown');
  });

  test('leaves no secret that others may read', () => {
    const open = readdirSync(join(home, 'keys')).filter(
      (file) => statSync(join(home, 'keys', file)).mode & 0o077,
    );
    assert.deepEqual(open, []);
    assert.equal(statSync(join(home, 'run.json')).mode & 0o777, 0o600);
    assert.equal(readRunState(home)?.apiUrl, line.apiUrl);
  });

  test('a second start beside it is refused, and says where the first is', async () => {
    const second = up({ COVEY_PORT: String(base + 30) });
    assert.equal(await second.exitCode(), 75);
    assert.match(
      second.stderr,
      new RegExp(`runs from ${home} already: ${line.apiUrl} \\(process ${line.pid}\\)`),
    );
    assert.equal(second.stdout, '');
    assert.ok((await status(line.apiUrl)).ready);
  });

  test('whichever process is killed comes back, and the run file knows its new pid', async () => {
    const names = Object.keys(line.pids).filter(
      (name) => name !== 'member-2' && name !== 'member-3' && name !== 'member-4',
    );
    for (const name of names) {
      const pid = (readRunState(home) as RunState).pids[name]!;
      process.kill(pid, 'SIGKILL');
      await waitFor(() => ![undefined, pid].includes(readRunState(home)?.pids[name]), `another ${name}`);
    }
    await waitFor(
      () =>
        status(line.apiUrl).then(
          ({ ready, members }) => ready && members.length === 5,
          () => false,
        ),
      'the API after its restart',
    );
    await Promise.all(line.members.map(({ url }) => waitFor(() => answers(url), `the relay at ${url}`)));
  });

  test('when it is killed outright nothing stays', async () => {
    // A job that is cut off is taken up again only half a minute later.
    await waitFor(noJobRuns, 'the end of the placement that the coordinator began');
    const processes = knownProcesses(readRunState(home)!.pids);
    cluster.kill('SIGKILL');
    await waitFor(() => processes.every((process) => !process.lives()), 'the end of every process', 30_000);
    assert.equal(readRunState(home), undefined);
  });

  test('the next start resumes: the same epoch, the same members, at other ports when told so', async () => {
    base = await freeBasePort();
    cluster = up();
    const next = await cluster.ready();
    assert.equal(next.firstStart, false);
    assert.deepEqual(
      next.members.map(({ id }) => id),
      line.members.map(({ id }) => id),
    );
    assert.deepEqual(
      next.members.map(({ url }) => url),
      [1, 2, 3, 4, 5].map((n) => `ws://127.0.0.1:${base + n}`),
    );
    const { members } = await status(next.apiUrl);
    assert.deepEqual(
      members.map(({ url }) => url).sort(),
      next.members.map(({ url }) => url),
    );
    line = next;
  });

  test('SIGINT, twice as npm sends it, stops all in order; the start after that has the same epoch', async () => {
    const processes = knownProcesses(readRunState(home)!.pids);
    cluster.kill('SIGINT');
    cluster.kill('SIGINT');
    assert.equal(await cluster.exitCode(), 0);
    assert.deepEqual(
      processes.filter((process) => process.lives()).map(({ name }) => name),
      [],
    );
    for (const file of ['run.json', 'processes.json'])
      assert.equal(statSync(join(home, file), { throwIfNoEntry: false }), undefined);
    cluster = up();
    assert.equal((await cluster.ready()).epoch, line.epoch);
    cluster.kill('SIGHUP');
    assert.equal(await cluster.exitCode(), 0);
  });
});

test('a taken port is named, with ports that are free, and nothing is started', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(base + 3, '127.0.0.1', resolve));
  server.unref(); // a failure here must not keep the process
  const refused = up();
  assert.equal(await refused.exitCode(), 69);
  assert.match(
    refused.stderr,
    new RegExp(`port ${base + 3} \\(member 3\\) is taken by .*Next: .*COVEY_PORT=\\d+`, 's'),
  );
  assert.deepEqual(
    readdirSync(home).filter((name) => name.startsWith('lock')),
    [],
  );
  server.close();
});

test('damaged data is refused, and left as it is', {
  skip: process.env['DATABASE_URL'] && 'the database is a real one',
}, async () => {
  const version = join(home, 'postgres', 'PG_VERSION');
  const before = readFileSync(version, 'utf8');
  rmSync(version);
  const refused = up();
  assert.equal(await refused.exitCode(), 65);
  assert.match(refused.stderr, /PG_VERSION is missing[\s\S]*Nothing was changed[\s\S]*Next: .*mv /);
  assert.equal(statSync(version, { throwIfNoEntry: false }), undefined);
  writeFileSync(version, before);
});

/** Whether nothing waits or runs in the cluster's queues; false while PostgreSQL recovers from a kill. */
async function noJobRuns(): Promise<boolean> {
  const ask = promisify(execFile)(process.execPath, [MAIN, 'jobs', '--json'], {
    env: { ...process.env, ...real, COVEY_HOME: home },
  });
  const stdout = await ask.then(
    (answer) => answer.stdout,
    () => undefined,
  );
  if (stdout === undefined) return false;
  const { queues } = JSON.parse(stdout) as { queues: { waiting: number; active: number }[] };
  return queues.every(({ waiting, active }) => waiting === 0 && active === 0);
}

/** Whether a relay tells of itself (NIP-11). */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url.replace(/^ws/, 'http'), {
      headers: { accept: 'application/nostr+json' },
    });
    return response.ok;
  } catch {
    return false;
  }
}
