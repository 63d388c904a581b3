import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { HomeLockedError, lockHome } from './home-lock.ts';
import { processMark } from './process-identity.ts';
import { temporary } from './testing.ts';

let home: string;
beforeEach(() => {
  home = temporary('lock');
});
afterEach(() => rmSync(home, { recursive: true }));

test('a home is held by one process, and is free again when given back', () => {
  const unlock = lockHome(home, 'http://127.0.0.1:4600');
  assert.throws(
    () => lockHome(home, 'http://127.0.0.1:5600'),
    (error) => error instanceof HomeLockedError && error.holder.apiUrl === 'http://127.0.0.1:4600',
  );
  unlock();
  lockHome(home, 'http://127.0.0.1:5600')();
  assert.deepEqual(readdirSync(home), []);
});

test('the lock of a dead process, of a pid that was given away, and garbage are taken over', () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  const left = [
    JSON.stringify({ pid, mark: 'x:1', apiUrl: '' }),
    JSON.stringify({ pid: process.ppid, mark: 'x:1', apiUrl: '' }),
    '{',
  ];
  for (const text of left) {
    writeFileSync(join(home, 'lock'), text);
    lockHome(home, '')();
  }
});

test('a lock is not given back by one who lost it', () => {
  const unlock = lockHome(home, '');
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const theirs = JSON.stringify({ pid: other.pid, mark: processMark(other.pid!), apiUrl: '' });
  writeFileSync(join(home, 'lock'), theirs);
  unlock();
  assert.equal(readFileSync(join(home, 'lock'), 'utf8'), theirs);
  other.kill('SIGKILL');
});

test('of many who try at once exactly one gets a stale lock', async () => {
  writeFileSync(join(home, 'lock'), JSON.stringify({ pid: 1, mark: 'x:1', apiUrl: '' }));
  const module = new URL('home-lock.ts', import.meta.url).href;
  const code = `
    const { lockHome } = await import(${JSON.stringify(module)});
    process.send('here');
    process.once('message', () => {
      try { lockHome(${JSON.stringify(home)}, ''); process.send('mine'); } catch { process.send('not mine'); }
    });`;
  const contenders = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
  const answer = (child: (typeof contenders)[number]) =>
    new Promise<unknown>((resolve) => child.once('message', resolve));
  await Promise.all(contenders.map(answer));
  const answers = Promise.all(contenders.map(answer));
  for (const child of contenders) child.send('go');
  assert.deepEqual((await answers).sort(), ['mine', 'not mine', 'not mine', 'not mine']);
  for (const child of contenders) child.kill('SIGKILL');
});
