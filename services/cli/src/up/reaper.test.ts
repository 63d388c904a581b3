import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findOrphans } from './process-list.ts';
import { reap } from './reap.ts';
import { known, temporary, until } from './testing.ts';

const PARENT = fileURLToPath(new URL('testing-parent.ts', import.meta.url));
const NAMES = ['postgres', 'nats', 'api', 'member-1', 'reaper'] as const;
type Tree = Record<(typeof NAMES)[number], { pid: number; lives(): boolean }>;

let home: string;
let parent: ChildProcess;
let pids: Record<string, number>;

beforeEach(async () => {
  home = temporary('reaper');
  pids = {};
  parent = fork(PARENT, [home], { stdio: 'inherit' });
  parent.on('message', (message: Record<string, number>) => {
    pids = message;
  });
  await until(() => pids['ready'] === 1 || parent.exitCode !== null, 'a supervisor with four children');
  assert.equal(parent.exitCode, null, 'the supervisor ended');
});
afterEach(async () => {
  parent.kill('SIGKILL');
  await reap(findOrphans(home, { dataDir: home, natsDir: home }));
  rmSync(home, { recursive: true });
});

function tree(): Tree {
  return Object.fromEntries(NAMES.map((name) => [name, known(pids[name]!)])) as Tree;
}

function allGone(processes: Tree): boolean {
  return Object.values(processes).every((process) => !process.lives());
}

function endedAt(name: string): number {
  return Number(readFileSync(join(home, `${name}.ended`), 'utf8'));
}

test('when the supervisor is killed nothing stays, and servers end after those who use them', async () => {
  const processes = tree();
  parent.kill('SIGKILL');
  await until(() => !processes['member-1'].lives(), 'the deaf member killed');
  assert.ok(!existsSync(join(home, 'nats.ended')), 'NATS ended before a member');
  await until(() => allGone(processes), 'all processes gone');
  assert.ok(endedAt('nats') <= endedAt('postgres'));
});

test('a reaper that is killed is replaced, and its successor knows what it knew', async () => {
  const first = known(pids['reaper']!);
  process.kill(first.pid, 'SIGKILL');
  await until(() => pids['reaper'] !== undefined && pids['reaper'] !== first.pid, 'another reaper');
  const processes = tree();
  parent.kill('SIGKILL');
  await until(() => allGone(processes), 'all processes gone');
});

test('when supervisor and reaper are killed at once the list tells the next start what is left', async () => {
  const processes = tree();
  process.kill(processes.reaper.pid, 'SIGSTOP'); // so that it can do nothing in between
  parent.kill('SIGKILL');
  process.kill(processes.reaper.pid, 'SIGKILL');
  await until(() => !processes.api.lives(), 'a service to end by itself');
  const orphans = findOrphans(home, { dataDir: home, natsDir: home });
  assert.deepEqual(orphans.map(({ name }) => name).sort(), ['member-1', 'nats', 'postgres']);
  assert.deepEqual(await reap(orphans), []);
  assert.ok(allGone(processes));
});

test('an ordered stop ends all, stage after stage, the reaper too', async () => {
  const processes = tree();
  parent.kill('SIGTERM');
  await until(() => allGone(processes), 'all processes gone');
  assert.ok(endedAt('nats') <= endedAt('postgres'));
});

test('a process that only has the pid of an orphan is left alone', () => {
  const [orphan] = findOrphans(home, { dataDir: home, natsDir: home });
  const other = { ...orphan!, pid: process.pid };
  return reap([other]).then((survivors) => assert.deepEqual(survivors, []));
});
