import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { HomeLockedError, lockHome } from './home-lock.ts';
import { temporary } from './testing.ts';

let home: string;
beforeEach(() => {
  home = temporary('lock');
});
afterEach(() => rmSync(home, { recursive: true }));

function leave(n: number, text: string): void {
  writeFileSync(join(home, `lock-${n.toString(16).padStart(16, '0')}.json`), text);
}

test('a home is held by one process, and is free again when given back', async () => {
  const unlock = await lockHome(home, 'http://127.0.0.1:4600');
  await assert.rejects(
    lockHome(home, 'http://127.0.0.1:5600'),
    (error) => error instanceof HomeLockedError && error.holder.apiUrl === 'http://127.0.0.1:4600',
  );
  assert.equal(readdirSync(home).length, 1);
  unlock();
  (await lockHome(home, 'http://127.0.0.1:5600'))();
  assert.deepEqual(readdirSync(home), []);
});

test('the lock of a dead process, of a pid that was given away, and garbage do not count', async () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  leave(1, JSON.stringify({ pid, mark: 'x:1', apiUrl: '', held: true }));
  leave(2, JSON.stringify({ pid: process.ppid, mark: 'x:1', apiUrl: '', held: true }));
  leave(3, '{');
  (await lockHome(home, ''))();
  assert.deepEqual(readdirSync(home), []);
});

test('of many who try at once, over the lock of a dead one, exactly one gets it, each time', async (t) => {
  const module = new URL('home-lock.ts', import.meta.url).href;
  const code = `
    const { lockHome } = await import(${JSON.stringify(module)});
    process.on('message', async (message) => {
      if (message === 'give back') { globalThis.unlock?.(); delete globalThis.unlock; return process.send('done'); }
      try { globalThis.unlock = await lockHome(${JSON.stringify(home)}, ''); process.send('mine'); }
      catch (error) { process.send(error.name); }
    });
    process.send('here');`;
  const contenders = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
  t.after(() => {
    for (const child of contenders) child.kill('SIGKILL');
  });
  const answers = () =>
    Promise.all(contenders.map((child) => new Promise<unknown>((resolve) => child.once('message', resolve))));
  await answers();
  for (let round = 0; round < 20; round++) {
    leave(round, JSON.stringify({ pid: 1, mark: 'x:1', apiUrl: '', held: true }));
    const got = answers();
    for (const child of contenders) child.send('take');
    const expected = ['HomeLockedError', 'HomeLockedError', 'HomeLockedError', 'mine'];
    assert.deepEqual((await got).sort(), expected, `round ${round}`);
    const given = answers();
    for (const child of contenders) child.send('give back');
    await given;
  }
  assert.deepEqual(readdirSync(home), []);
});
