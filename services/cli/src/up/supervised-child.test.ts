import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LogFiles } from './log-files.ts';
import { ChildFailedError, SupervisedChild } from './supervised-child.ts';
import { DEAF, Diary, dummy, known, temporary, until, WELL_BEHAVED } from './testing.ts';

const directory = temporary('child');
const logs = new LogFiles(directory);
logs.start();
after(() => {
  logs.stop();
  rmSync(directory, { recursive: true });
});

const backoff = { minMs: 20, maxMs: 80, healthyMs: 60_000 };

function supervise(spec: ReturnType<typeof dummy>) {
  const diary = new Diary();
  const child = new SupervisedChild(spec, { logs, listener: diary, random: () => 0.999, backoff });
  return { child, diary };
}

test('a child is ready when it says so, and its progress is told', async () => {
  const { child, diary } = supervise(
    dummy('a', `process.send({ type: 'progress', text: 'half' }); ${WELL_BEHAVED}`),
  );
  await child.start();
  assert.deepEqual(diary.entries, ['a spawned', 'a: half', 'a ready']);
  const process = known(child.pid!);
  await child.stop();
  assert.equal(process.lives(), false);
  assert.equal(diary.endings[0]?.restartMs, undefined);
});

test('a child that is killed comes back, later each time', async () => {
  const { child, diary } = supervise(dummy('b', WELL_BEHAVED));
  await child.start();
  for (let times = 1; times <= 4; times++) {
    process.kill(child.pid!, 'SIGKILL');
    await until(
      () => diary.entries.filter((entry) => entry === 'b back').length === times,
      `back ${times} times`,
    );
  }
  assert.deepEqual(
    diary.endings.map(({ signal, restartMs }) => [signal, restartMs]),
    [20, 40, 80, 80].map((ms) => ['SIGKILL', ms]),
  );
  assert.equal(new Set(diary.pids).size, 5);
  await child.stop();
});

test('the record of a child that was healthy for long enough is clean', async () => {
  const diary = new Diary();
  const healthyAtOnce = { ...backoff, healthyMs: 0 };
  const child = new SupervisedChild(dummy('h', WELL_BEHAVED), {
    logs,
    listener: diary,
    random: () => 0.999,
    backoff: healthyAtOnce,
  });
  await child.start();
  for (let times = 1; times <= 3; times++) {
    process.kill(child.pid!, 'SIGKILL');
    await until(() => diary.entries.filter((entry) => entry === 'h back').length === times, 'back');
  }
  assert.deepEqual(
    diary.endings.map(({ restartMs }) => restartMs),
    [20, 20, 20],
  );
  await child.stop();
});

test('a child that never gets ready is given up after three tries; one with bad settings at once', async () => {
  const failing = supervise(dummy('c', 'console.error("no luck"); process.exit(3)'));
  await assert.rejects(failing.child.start(), {
    name: 'ChildFailedError',
    message: /c does not start.*exit code 3/,
  });
  assert.equal(failing.diary.endings.length, 3);
  assert.deepEqual(logs.tail('c', 1), ['no luck']);
  const misconfigured = supervise(dummy('d', 'process.exit(78)'));
  await assert.rejects(misconfigured.child.start(), ChildFailedError);
  assert.equal(misconfigured.diary.endings.length, 1);
  const missing = supervise(dummy('e', '', { command: join(directory, 'not-there') }));
  await assert.rejects(missing.child.start(), /could not be run/);
});

test('a child that hangs before it is ready is killed and tried again', async () => {
  const { child, diary } = supervise(dummy('f', 'setInterval(() => {}, 1000)', { readyMsMax: 150 }));
  await assert.rejects(child.start(), /ended by SIGKILL/);
  assert.equal(diary.endings.length, 3);
});

test('a child that does not listen is stopped by force, and one in its backoff at once', async () => {
  const deaf = supervise(
    dummy('g', DEAF, {
      stopSteps: [
        { signal: 'SIGTERM', waitMs: 100 },
        { signal: 'SIGKILL', waitMs: 1_000 },
      ],
    }),
  );
  await deaf.child.start();
  const process = known(deaf.child.pid!);
  await deaf.child.stop();
  assert.equal(process.lives(), false);
  const failing = new SupervisedChild(dummy('i', 'process.exit(1)'), {
    logs,
    listener: new Diary(),
    random: () => 0.999,
    backoff: { minMs: 60_000, maxMs: 60_000, healthyMs: 1 },
  });
  const start = assert.rejects(failing.start(), ChildFailedError);
  await until(() => failing.pid === undefined, 'first try over');
  await failing.stop();
  await start;
});
