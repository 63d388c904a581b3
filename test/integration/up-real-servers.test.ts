import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readRunState } from '@covey/config';
import { waitForNats } from '../../services/cli/src/up/embedded-nats.ts';
import { findNatsServer } from '../../services/cli/src/up/nats-binary.ts';
import { NATS_STEPS, STAGE_NATS } from '../../services/cli/src/up/reaper-protocol.ts';
import { NativeServer, onFreePort } from '../support/native-server.ts';
import { freePort, startPostgres, temporaryDirectory } from '../support/servers.ts';
import { freeBasePort, UpProcess } from '../support/up-process.ts';

const directory = temporaryDirectory('real');
after(() => rmSync(directory, { recursive: true }));

/** A server that lets everybody do everything, as an operator's own may. */
async function openNats(): Promise<{ url: string; stop(): Promise<void> }> {
  const running = await onFreePort(async (port) => {
    const args = ['-js', '-sd', join(directory, 'nats'), '-a', '127.0.0.1', '-p', String(port)];
    const server = new NativeServer({
      command: findNatsServer(),
      args,
      log: join(directory, 'nats.log'),
      stage: STAGE_NATS,
      steps: NATS_STEPS,
    });
    await server.untilReady((signal) => waitForNats('127.0.0.1', port, 10_000, signal));
    return { server, port };
  });
  return { url: `nats://127.0.0.1:${running.port}`, stop: () => running.server.stop('SIGTERM') };
}

test('a cluster runs on servers of the operator’s, which go on when it stops', async (context) => {
  const [database, nats, base] = await Promise.all([startPostgres(), openNats(), freeBasePort()]);
  const home = join(directory, 'home');
  const env = {
    COVEY_HOME: home,
    COVEY_PORT: String(base),
    COVEY_CLUSTER: 'real',
    DATABASE_URL: database.url,
    NATS_URL: nats.url,
  };
  const cluster = new UpProcess(env);
  context.after(() => cluster.kill('SIGTERM')); // a failure below must not leave it running
  const line = await cluster.ready();
  assert.equal(line.epoch, 1);
  assert.equal(line.pids['postgres'] ?? line.pids['nats'], undefined);
  assert.match(cluster.stderr, /Real servers by DATABASE_URL, NATS_URL/);
  const { password } = new URL(database.url);
  assert.ok(!password || !cluster.stderr.includes(password), 'the password is shown');
  assert.equal(readRunState(home)?.databaseUrl, database.url);
  cluster.kill('SIGTERM');
  assert.equal(await cluster.exitCode(), 0);

  const next = new UpProcess(env);
  assert.equal((await next.ready()).epoch, 1);
  next.kill('SIGTERM');
  assert.equal(await next.exitCode(), 0);
  await Promise.all([database.stop(), nats.stop()]);
});

test('a server that does not answer is named, without its password, with what to do', async () => {
  const port = await freePort();
  const cases: [string, string, RegExp][] = [
    ['DATABASE_URL', `postgres://covey:sekrit@127.0.0.1:${port}/covey`, /use an embedded PostgreSQL/],
    ['NATS_URL', `nats://covey:sekrit@127.0.0.1:${port}`, /use an embedded NATS server/],
    ['REDIS_URL', `redis://:sekrit@127.0.0.1:${port}`, /use BullMQ on PostgreSQL/],
  ];
  const base = await freeBasePort();
  for (const [variable, url, next] of cases) {
    const home = join(directory, variable);
    const refused = new UpProcess({ COVEY_HOME: home, COVEY_PORT: String(base), [variable]: url });
    assert.equal(await refused.exitCode(), 69, refused.stderr);
    assert.match(
      refused.stderr,
      new RegExp(`${variable} is set, and the server at .*:${port}.* can't be used`),
    );
    assert.match(refused.stderr, next);
    assert.doesNotMatch(refused.stderr, /sekrit/);
    assert.equal(refused.stdout, '');
  }
});
