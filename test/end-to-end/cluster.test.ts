/**
 * The main job, as a stranger sees it: the whole cluster from `covey up`, used through public interfaces only (the command
 * line, HTTP, Nostr over WebSocket with an unrelated client), then broken one process at a time.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { finalizeEvent, generateSecretKey, getPublicKey, nip19, Relay } from 'nostr-tools';
import { useWebSocketImplementation } from 'nostr-tools/relay';
import { WebSocket } from 'ws';
import { freePort, temporaryDirectory } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';

const covey = fileURLToPath(new URL('../../services/cli/bin/covey.mjs', import.meta.url));
const READY_MS = 120_000;

interface Ready {
  apiUrl: string;
  epoch: number;
}
interface Placement {
  master: { id: string; url: string };
  replicas: { id: string; url: string }[];
  readCopies: { id: string; url: string }[];
  source: string;
}
interface Status {
  ready: boolean;
  epoch: number;
  accounts: number;
  follows: number;
  communities: number;
  members: { id: string; url: string; state: string; appliedEpoch: number }[];
}

useWebSocketImplementation(WebSocket);

describe('a whole cluster', { timeout: 600_000 }, () => {
  let home: string;
  let port: number;
  let up: ChildProcess;
  let ready: Ready;
  let api: string;
  const env = () => {
    const { NODE_TEST_CONTEXT: _, ...rest } = process.env;
    return { ...rest, COVEY_HOME: home, COVEY_PORT: String(port) };
  };
  const command = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [covey, ...args], {
      env: env(),
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, stdout, stderr };
  };
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${api}${path}`);
    assert.equal(response.status, 200, `${path}: ${response.status}`);
    return (await response.json()) as T;
  };
  const runState = () =>
    JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as { pid: number; pids: Record<string, number> };
  const alive = (pid: number) => {
    try {
      process.kill(pid, 0);
      // A zombie still has a pid; it runs nothing.
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  };

  /** Starts `covey up --json` and resolves with its line. */
  async function start(): Promise<Ready> {
    let out = '';
    let err = '';
    up = spawn(process.execPath, [covey, 'up', '--json'], { env: env(), stdio: ['ignore', 'pipe', 'pipe'] });
    up.stdout!.on('data', (chunk) => {
      out += chunk;
    });
    up.stderr!.on('data', (chunk) => {
      err += chunk;
    });
    await waitFor(() => out.includes('\n') || up.exitCode !== null, 'the cluster', READY_MS);
    assert.equal(up.exitCode, null, `covey up ended with ${up.exitCode}: ${err}`);
    const lines = out.trim().split('\n');
    assert.equal(lines.length, 1, 'one line on standard output');
    ready = JSON.parse(lines[0]!);
    api = ready.apiUrl;
    return ready;
  }

  async function allApplied(epoch: number): Promise<void> {
    await waitFor(
      async () => {
        const { members } = await get<Status>('/v1/status');
        return members.length === 5 && members.every((m) => m.state === 'up' && m.appliedEpoch === epoch);
      },
      `all members to apply epoch ${epoch}`,
      60_000,
    );
  }

  before(async () => {
    home = temporaryDirectory('e2e');
    port = await freePort();
    await start();
  });
  after(async () => {
    if (up && up.exitCode === null && up.signalCode === null) {
      up.kill('SIGTERM');
      await waitFor(() => up.exitCode !== null || up.signalCode !== null, 'the end of the cluster', 60_000);
    }
    rmSync(home, { recursive: true, force: true });
  });

  const note = (secret: Uint8Array, content: string) =>
    finalizeEvent({ kind: 1, created_at: Math.floor(Date.now() / 1000), tags: [], content }, secret);
  const holdersOf = async (pubkey: string) => {
    const { master, replicas, readCopies } = await get<Placement>(`/v1/placements/${pubkey}`);
    return [master, ...replicas, ...readCopies];
  };
  const wrongMember = async (pubkey: string) => {
    const holders = new Set((await holdersOf(pubkey)).map(({ id }) => id));
    const { members } = await get<Status>('/v1/status');
    return members.find(({ id }) => !holders.has(id))!;
  };
  const readWithNostrTools = async (url: string, pubkey: string): Promise<string[]> => {
    const relay = await Relay.connect(url);
    try {
      return await new Promise((resolve, reject) => {
        const found: string[] = [];
        relay.subscribe([{ authors: [pubkey], kinds: [1] }], {
          onevent: (event) => found.push(event.content),
          oneose: () => resolve(found),
          onclose: (reason) => reject(new Error(`closed: ${reason}`)),
        });
      });
    } finally {
      relay.close();
    }
  };

  test('real accounts are placed on five members that all apply the same epoch', async () => {
    await allApplied(ready.epoch);
    const status = await get<Status>('/v1/status');
    assert.deepEqual(
      [status.ready, status.epoch, status.accounts, status.follows],
      [true, 1, 29_827, 215_216],
    );
    assert.ok(status.communities > 1);
  });

  test('lookup and plan, by the command line and over HTTP', async () => {
    const jack = '82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2';
    const looked = command('lookup', nip19.npubEncode(jack), '--json');
    assert.equal(looked.status, 0, looked.stderr);
    const placement = JSON.parse(looked.stdout) as Placement & { pubkey: string };
    assert.equal(placement.pubkey, jack);
    assert.equal(placement.source, 'table');
    assert.equal(placement.replicas.length, 2);
    assert.equal(new Set([placement.master, ...placement.replicas].map(({ id }) => id)).size, 3);

    const planned = command('plan', '--follows', nip19.npubEncode(jack), '--json');
    assert.equal(planned.status, 0, planned.stderr);
    const plan = JSON.parse(planned.stdout) as {
      relays: { url: string; pubkeys: number[] }[];
      uncovered: number[];
    };
    assert.deepEqual(plan.uncovered, []);
    assert.ok(plan.relays.length >= 1 && plan.relays.length <= 5);
    const covered = plan.relays.flatMap(({ pubkeys }) => pubkeys);
    assert.ok(covered.length > 50 && new Set(covered).size === covered.length, 'each followee once');
  });

  test('a note that nostr-tools publishes to the wrong member is read from the right ones, and from the wrong one', async () => {
    const secret = generateSecretKey();
    const pubkey = getPublicKey(secret);
    const wrong = await wrongMember(pubkey);
    const relay = await Relay.connect(wrong.url);
    const answer = await relay.publish(note(secret, 'hello from elsewhere'));
    assert.match(answer, /forward/);
    relay.close();
    for (const { url } of [...(await holdersOf(pubkey)), wrong])
      await waitFor(
        async () => (await readWithNostrTools(url, pubkey)).includes('hello from elsewhere'),
        `the note at ${url}`,
      );
  });

  test('a client that announced itself is redirected', async () => {
    const secret = generateSecretKey();
    const wrong = await wrongMember(getPublicKey(secret));
    const event = note(secret, 'where to?');
    const socket = new WebSocket(wrong.url);
    const answer = await new Promise<unknown[]>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        socket.send('["COVEY",{"version":1}]');
        socket.send(JSON.stringify(['EVENT', event]));
      });
      socket.on('message', (data) => {
        const frame = JSON.parse(data.toString());
        if (frame[0] === 'OK') resolve(frame);
      });
    });
    socket.close();
    const { master, replicas } = await get<Placement>(`/v1/placements/${event.pubkey}`);
    assert.deepEqual(answer.slice(0, 3), ['OK', event.id, false]);
    const [word, ...urls] = String(answer[3]).split(' ');
    assert.equal(word, 'redirect:');
    // Members that started a moment ago and still compare their copies stand last.
    assert.deepEqual(urls.sort(), [master, ...replicas].map(({ url }) => url).sort());
  });

  test('a second start beside the first says so, and harms nothing', async () => {
    const second = command('up');
    assert.notEqual(second.status, 0);
    assert.match(second.stderr + second.stdout, /(already|running).*/i);
    assert.ok((second.stderr + second.stdout).includes(api));
    assert.ok((await get<Status>('/v1/status')).ready);
  });

  test('any process may be killed: the rest goes on, and it comes back', async () => {
    const names = Object.keys(runState().pids);
    const embedded = [
      process.env['DATABASE_URL'] ? [] : ['postgres'],
      process.env['NATS_URL'] ? [] : ['nats'],
    ].flat();
    for (const wanted of [...embedded, 'coordinator', 'api', 'member-1'])
      assert.ok(names.includes(wanted), `${wanted} among ${names}`);
    const secret = generateSecretKey();
    const pubkey = getPublicKey(secret);
    for (const name of names) {
      const pid = runState().pids[name]!;
      process.kill(pid, 'SIGKILL');
      const { members } = await waitForStatus();
      const target = members.find(
        (member) => !name.startsWith('member-') || !member.url.endsWith(`:${port + Number(name.slice(7))}`),
      )!;
      const text = `while ${name} was down`;
      const relay = await Relay.connect(target.url);
      await relay.publish(note(secret, text));
      relay.close();
      await waitFor(
        () => {
          const now = runState().pids[name];
          return now !== undefined && now !== pid && alive(now);
        },
        `${name} to come back`,
        60_000,
      );
      for (const { url } of members)
        await waitFor(
          () => readWithNostrTools(url, pubkey).catch(() => undefined),
          `${url} to answer again`,
          30_000,
        );
      await waitFor(
        async () => (await readWithNostrTools(target.url, pubkey)).includes(text),
        `the note of ${name}`,
        30_000,
      );
    }
    await waitFor(
      async () => (await fetch(`${api}/readyz`).catch(() => undefined))?.status === 200,
      'the api',
      60_000,
    );
    await allApplied(1);
  });

  /** The status, which the api answers again within seconds after its own death. */
  async function waitForStatus(): Promise<Status> {
    let status: Status | undefined;
    await waitFor(
      async () => (status = await get<Status>('/v1/status').catch(() => undefined)),
      'the status',
      60_000,
    );
    return status!;
  }

  test('Ctrl-C leaves nothing running; the next start resumes the same epoch', async () => {
    const before = runState();
    up.kill('SIGINT');
    await waitFor(() => up.exitCode !== null || up.signalCode !== null, 'the end', 60_000);
    assert.equal(up.exitCode, 0);
    assert.deepEqual(
      Object.entries(before.pids).filter(([, pid]) => alive(pid)),
      [],
    );
    assert.ok(!existsSync(join(home, 'run.json')));
    const again = await start();
    assert.equal(again.epoch, 1);
    await allApplied(1);
  });

  test('killing the parent with SIGKILL takes everything with it', async () => {
    const { pid, pids } = runState();
    process.kill(pid, 'SIGKILL');
    await waitFor(
      () => Object.values(pids).every((child) => !alive(child)),
      'the end of every process',
      30_000,
    );
    await start();
    await allApplied(1);
  });
});
