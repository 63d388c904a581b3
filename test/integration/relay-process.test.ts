import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { freePort } from './relay-fixture.ts';

const MAIN = fileURLToPath(new URL('../../services/relay/src/main.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'covey-relay-process-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

async function start(dir: string, port: number, more: Record<string, string> = {}): Promise<ChildProcess> {
  const key = join(root, 'member.key');
  writeFileSync(key, newSigner('7'.repeat(64)).secretKey, { mode: 0o600 });
  const child = fork(MAIN, {
    env: {
      ...process.env,
      COVEY_MEMBER_KEY_FILE: key,
      COVEY_MEMBER_DIR: dir,
      COVEY_LISTEN: `127.0.0.1:${port}`,
      COVEY_PROFILE: 'local',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  children.push(child);
  child.stdout?.resume();
  const [message] = await once(child, 'message');
  assert.deepEqual(message, { type: 'ready' });
  return child;
}

describe('a member as a process', { timeout: 60_000 }, () => {
  it('has on disk what it said OK to, killed at any moment', async () => {
    const dir = join(root, 'killed');
    const port = await freePort();
    const url = `ws://127.0.0.1:${port}`;
    const author = newSigner();
    const acknowledged: string[] = [];
    for (let round = 0; round < 4; round++) {
      const child = await start(dir, port);
      const client = await WireClient.open(url);
      const killAfter = 40 + 37 * round;
      let sent = 0;
      const killed = once(child, 'exit');
      client.socket.on('message', (data) => {
        const [type, id, accepted] = JSON.parse(data.toString());
        if (type !== 'OK' || !accepted) return;
        acknowledged.push(id);
        if (acknowledged.length % killAfter === 0) child.kill('SIGKILL');
      });
      while (child.exitCode === null && child.signalCode === null && sent < 2000) {
        for (let i = 0; i < 20; i++) client.send('EVENT', author.sign({ content: `${round} ${sent++}` }));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await killed;
      client.close();
    }
    assert.ok(acknowledged.length > 100);
    const child = await start(dir, port);
    const client = await WireClient.open(url);
    const found = new Set<string>();
    for (let i = 0; i < acknowledged.length; i += 500)
      for (const event of (await client.read({ ids: acknowledged.slice(i, i + 500) })).events)
        found.add(event.id);
    assert.deepEqual(
      acknowledged.filter((id) => !found.has(id)),
      [],
    );
    client.close();
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
  });

  it('goes when its parent goes', async () => {
    const child = await start(join(root, 'orphan'), await freePort());
    const exit = once(child, 'exit');
    child.disconnect();
    assert.deepEqual(await exit, [0, null]);
  });

  it('says what is wrong with its settings and exits with 2', async () => {
    const key = join(root, 'other.key');
    writeFileSync(key, newSigner().secretKey, { mode: 0o600 });
    const cases: [Record<string, string>, RegExp][] = [
      [{ COVEY_MEMBER_KEY_FILE: '' }, /COVEY_MEMBER_KEY_FILE is not set/],
      [{ COVEY_WRITES: 'sometimes' }, /COVEY_WRITES is .*forward, redirect, observe/],
      [{ COVEY_PUBLIC_URL: 'https://relay.example' }, /COVEY_PUBLIC_URL: .*wss:/],
      [{ COVEY_FRAME_BYTES_MAX: 'many' }, /COVEY_FRAME_BYTES_MAX/],
    ];
    for (const [env, message] of cases) {
      const child = fork(MAIN, {
        env: {
          ...process.env,
          COVEY_MEMBER_KEY_FILE: key,
          COVEY_MEMBER_DIR: join(root, 'x'),
          COVEY_LISTEN: '0',
          ...env,
        },
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      children.push(child);
      let output = '';
      child.stdout?.on('data', (chunk) => {
        output += chunk;
      });
      const [code] = await once(child, 'close');
      assert.equal(code, 2);
      assert.match(output, message);
    }
  });
});
