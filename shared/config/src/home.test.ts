import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { homePaths, homeRoot, type RunState, readRunState, removeRunState, writeRunState } from './home.ts';

const root = mkdtempSync(join(tmpdir(), 'covey-home-'));
after(() => rmSync(root, { recursive: true }));

const state: RunState = {
  pid: process.pid,
  cluster: 'local',
  startedAt: '2026-01-01T00:00:00.000Z',
  apiUrl: 'http://127.0.0.1:4600',
  databaseUrl: 'postgres://covey:secret@127.0.0.1:4621/covey',
  natsUrl: 'nats://127.0.0.1:4620',
  roots: ['ab'.repeat(32)],
  members: [],
  ports: { api: 4600 },
  pids: {},
};

test('the state of a running cluster is kept for its owner alone', () => {
  writeRunState(root, state);
  assert.equal(statSync(homePaths(root).runFile).mode & 0o777, 0o600);
  assert.deepEqual(readRunState(root), state);
  removeRunState(root);
  assert.equal(readRunState(root), undefined);
});

test('a state that a killed cluster left behind, or garbage, counts as none', () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  writeRunState(root, { ...state, pid });
  assert.equal(readRunState(root), undefined);
  writeFileSync(homePaths(root).runFile, 'null');
  assert.equal(readRunState(root), undefined);
});

test('the home is .covey of the current directory unless COVEY_HOME says otherwise', () => {
  assert.equal(homeRoot({}), join(process.cwd(), '.covey'));
  assert.equal(homeRoot({ COVEY_HOME: ' ' }), join(process.cwd(), '.covey'));
  assert.equal(homeRoot({ COVEY_HOME: '/var/lib/covey' }), '/var/lib/covey');
});
