import assert from 'node:assert/strict';
import { chmodSync, chownSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkOwner, checkPorts, checkSpace, prepareHome, wantedPorts } from './preflight.ts';
import { readUpSettings } from './settings.ts';
import { temporary } from './testing.ts';

const directory = temporary('preflight');
after(() => rmSync(directory, { recursive: true }));

async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}

test('taken ports are all named, with who has them and ports that are free', async () => {
  const server = await listen(0);
  const { port } = server.address() as { port: number };
  const settings = readUpSettings({ COVEY_PORT: String(port - 2), COVEY_HOME: directory }, {});
  await assert.rejects(checkPorts(settings, [['member 2', port]]), (error: Error) => {
    assert.match(
      error.message,
      new RegExp(`port ${port} \\(member 2\\) is taken by .*\\(process ${process.pid}\\)`),
    );
    const base = Number(/COVEY_PORT=(\d+)/.exec(error.message)?.[1]);
    assert.equal((base - (port - 2)) % 100, 0);
    return true;
  });
  await new Promise((resolve) => server.close(resolve));
  await checkPorts(settings, [['member 2', port]]);
});

test('ports of servers that are not embedded are not wanted', () => {
  const settings = readUpSettings(
    { COVEY_PORT: '5000', NATS_URL: 'nats://a', DATABASE_URL: 'postgres://a/b' },
    {},
  );
  assert.deepEqual(
    wantedPorts(settings, [1, 3]).map(([, port]) => port),
    [5000, 5001, 5003, 5010],
  );
  const embedded = readUpSettings({ COVEY_PORT: '5000' }, {});
  assert.deepEqual(
    wantedPorts(embedded, []).map(([, port]) => port),
    [5000, 5010, 5020, 5021],
  );
});

test('settings that can’t be used are named', () => {
  const read = (env: Record<string, string>) => () => readUpSettings(env, {});
  assert.throws(read({ COVEY_PORT: '65520' }), /COVEY_PORT is "65520".*1 to 65514/);
  assert.throws(read({ COVEY_CLUSTER: 'A b' }), /no cluster name/);
  assert.throws(read({ DATABASE_URL: 'mysql://a' }), /DATABASE_URL must be a URL that starts with postgres/);
  assert.throws(read({ NATS_URL: 'nats://a,http://b' }), /NATS_URL must be a URL/);
  assert.throws(read({ NATS_CREDS_FILE: '/not/there' }), /NATS_CREDS_FILE names \/not\/there/);
});

test('a home that can’t be made or written to is refused', () => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  assert.throws(() => prepareHome(join(file, 'home')), {
    exitCode: 73,
    message: /can’t be made \(ENOTDIR\)/,
  });
  if (process.geteuid?.() === 0) return; // root may write anywhere
  chmodSync(directory, 0o500);
  assert.throws(() => prepareHome(join(directory, 'home')), { exitCode: 73, message: /EACCES/ });
  chmodSync(directory, 0o700);
});

test('a home where mkdir answers ENOENT for ever is refused, not tried for ever', {
  skip: process.platform !== 'linux' && 'there is no /proc here',
}, () => {
  assert.throws(() => prepareHome('/proc/covey/home'), /can’t be made \(ENOENT\)/);
});

test('a home that another user made is refused', () => {
  const key = join(directory, 'key');
  writeFileSync(key, '');
  checkOwner(directory, key);
  if (process.geteuid?.() !== 0) return; // nobody else can give a file away
  chownSync(key, 65534, 65534);
  assert.throws(() => checkOwner(directory, key), { exitCode: 73, message: /belongs to user 65534/ });
});

test('a disk with room passes', () => checkSpace(directory, false));
