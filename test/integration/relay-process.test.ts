import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TableCache } from '@covey/nats';
import { signCertificate, signManifest, verifyManifest } from '@covey/table';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { freePort } from '../support/free-port.ts';
import { until } from './relay-fixture.ts';

const MAIN = fileURLToPath(new URL('../../services/relay/src/main.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'covey-relay-process-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

async function count(url: string, pubkey: string): Promise<number> {
  const client = await WireClient.open(url);
  const { events } = await client.read({ authors: [pubkey] });
  client.close();
  return events.length;
}

async function start(
  dir: string,
  port: number,
  more: Record<string, string> = {},
  secretKey = '7'.repeat(64),
): Promise<ChildProcess> {
  const key = join(root, `${secretKey.slice(0, 8)}.key`);
  writeFileSync(key, secretKey, { mode: 0o600 });
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

  it('delivers what it forwards, with every process killed on the way', async () => {
    const keys = ['a', 'b', 'c'].map((digit) => newSigner(digit.repeat(64)));
    const ports = await Promise.all(keys.map(freePort));
    const urls = ports.map((port) => `ws://127.0.0.1:${port}`);
    const author = newSigner();
    const table = fixtureTable({
      members: keys.map(({ pubkey }, i) => ({ id: pubkey, url: urls[i]! })),
      groups: [{ members: [0, 1], accounts: [author.pubkey] }],
    });
    const authority = newSigner();
    const event = signManifest(
      {
        cluster: 'test',
        epoch: 1,
        previous: null,
        createdAt: 1000,
        root: table.root,
        tableBytes: table.bytes.length,
        inputs: '0'.repeat(64),
        movesUntil: 2000,
        members: table.members.map(({ id, url }) => ({ id, url })),
        counts: { accounts: 1, follows: 0, communities: 1, groups: 1, moved: 0 },
      },
      authority.pubkey,
      authority.secretKey,
      signCertificate(
        {
          cluster: 'test',
          coordinator: authority.pubkey,
          root: authority.pubkey,
          createdAt: 0,
          expiration: 4e9,
        },
        authority.secretKey,
      ),
    );
    const run = async (i: number) => {
      const dir = join(root, `cluster-${i}`);
      // The last good table is what a member starts with, whoever put it there: its signature is checked.
      new TableCache(join(dir, 'table')).save({
        table,
        event,
        manifest: verifyManifest(event, [authority.pubkey], 'test'),
      });
      return await start(
        dir,
        ports[i]!,
        { COVEY_CLUSTER: 'test', COVEY_ROOTS: authority.pubkey },
        keys[i]!.secretKey,
      );
    };
    const kill = async (child: ChildProcess) => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    };
    let forwarder = await run(2);
    const events = Array.from({ length: 400 }, (_, i) => author.sign({ content: String(i) }));
    const client = await WireClient.open(urls[2]!);
    for (const answer of await Promise.all(events.map((e) => client.publish(e))))
      assert.match(answer[1], /^forwarding to/);
    client.close();
    await kill(forwarder);
    let master = await run(0);
    forwarder = await run(2);
    await until('the first arrivals', async () => (await count(urls[0]!, author.pubkey)) > 0);
    await kill(master);
    await kill(forwarder);
    master = await run(0);
    await run(1);
    await run(2);
    for (const url of urls.slice(0, 2))
      await until(`all at ${url}`, async () => (await count(url, author.pubkey)) === events.length, 20_000);
  });

  it('goes when its parent goes', async () => {
    const child = await start(join(root, 'orphan'), await freePort());
    const exit = once(child, 'exit');
    child.disconnect();
    assert.deepEqual(await exit, [0, null]);
  });

  it('says what is wrong with its settings and exits with 78', async () => {
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
      assert.equal(code, 78);
      assert.match(output, message);
    }
  });
});
