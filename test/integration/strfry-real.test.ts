import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { NostrEvent } from '@covey/nostr';
import { parseRedirect } from '@covey/protocol';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { Relay } from 'nostr-tools/relay';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner } from '../conformance/signer.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';
import { AUTHORITY, cacheTable, LAUNCHER } from './strfry-fixture.ts';

const STRFRY = process.env['STRFRY'];
const skip = STRFRY ? false : 'STRFRY names no strfry binary to run the plugin in';
const EVENTS_IN_A_ROW = 1000;

const root = mkdtempSync(join(tmpdir(), 'covey-real-strfry-'));
const processes: ChildProcess[] = [];
const relays: Relay[] = [];
after(async () => {
  for (const relay of relays) relay.close();
  for (const child of processes)
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
  rmSync(root, { recursive: true, force: true });
});

const self = newSigner();
const other = newSigner();
const here = generateSecretKey();
const elsewhere = generateSecretKey();
const table = (epoch: number, master: number) =>
  fixtureTable({
    members: [
      { id: self.pubkey, url: 'wss://here.example' },
      { id: other.pubkey, url: 'wss://there.example' },
    ],
    groups: [
      { members: [0], accounts: [getPublicKey(here)] },
      { members: [master], accounts: [getPublicKey(elsewhere)] },
    ],
    slotMembers: [1],
    epoch,
  });
const note = (by: Uint8Array, text: string, tags: string[][] = [], kind = 1) =>
  finalizeEvent({ kind, created_at: Math.floor(Date.now() / 1000), tags, content: text }, by);

interface Strfry {
  child: ChildProcess;
  config: string;
  url: string;
  env: NodeJS.ProcessEnv;
  log: () => string;
}

/** @param memberDir folder with the table that its plugin enforces; none: no plugin */
async function startStrfry(name: string, memberDir?: string): Promise<Strfry> {
  const dir = join(root, name);
  mkdirSync(join(dir, 'db'), { recursive: true });
  const port = await freePort();
  const config = join(dir, 'strfry.conf');
  writeFileSync(
    config,
    `db = "${dir}/db/"
dbParams { mapsize = 1073741824 }
relay {
  bind = "127.0.0.1"
  port = ${port}
  nofiles = 0
  writePolicy { plugin = "${memberDir ? LAUNCHER : ''}" }
}
`,
  );
  const env = {
    ...process.env,
    COVEY_SETTINGS_FILE: '/nowhere',
    COVEY_CLUSTER: 'test',
    COVEY_ROOTS: AUTHORITY.pubkey,
    COVEY_MEMBER_PUBKEY: self.pubkey,
    COVEY_MEMBER_DIR: memberDir ?? '',
  };
  const child = spawn(STRFRY!, ['--config', config, 'relay'], {
    env,
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  processes.push(child);
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
  const url = `ws://127.0.0.1:${port}`;
  await waitFor(() => /Started websocket server/.test(log) || child.exitCode !== null, 'strfry to start');
  assert.equal(child.exitCode, null, log);
  return { child, config, url, env, log: () => log };
}

async function connect(url: string): Promise<Relay> {
  const relay = await Relay.connect(url);
  relays.push(relay);
  return relay;
}

/** The text of the OK; '' and true when it was taken. */
async function publish(relay: Relay, event: NostrEvent): Promise<[boolean, string]> {
  try {
    return [true, await relay.publish(event)];
  } catch (error) {
    return [false, (error as Error).message];
  }
}

async function stored(relay: Relay, ids: string[]): Promise<number> {
  return await new Promise((resolve) => {
    let count = 0;
    const subscription = relay.subscribe([{ ids }], {
      onevent: () => {
        count++;
      },
      oneose: () => {
        subscription.close();
        resolve(count);
      },
    });
  });
}

describe('the plugin in strfry itself', { skip, timeout: 60_000 }, () => {
  it('enforces the table for clients, and follows it', async (t) => {
    const dir = join(root, 'member-1');
    cacheTable(join(dir, 'table'), table(1, 1));
    const strfry = await startStrfry('one', dir);
    const relay = await connect(strfry.url);
    assert.deepEqual(await publish(relay, note(here, 'mine')), [true, '']);
    const [taken, text] = await publish(relay, note(elsewhere, 'not here'));
    assert.equal(taken, false);
    assert.deepEqual(parseRedirect(text), ['wss://there.example'], text);
    const wrap = (to: Uint8Array) => note(generateSecretKey(), 'sealed', [['p', getPublicKey(to)]], 1059);
    assert.equal((await publish(relay, wrap(here)))[0], true);
    assert.equal((await publish(relay, wrap(elsewhere)))[0], false);

    const many = Array.from({ length: EVENTS_IN_A_ROW }, (_, i) => note(here, `number ${i}`));
    const startedMs = performance.now();
    const answers = await Promise.all(many.map((event) => publish(relay, event)));
    const perSecond = Math.round((EVENTS_IN_A_ROW * 1000) / (performance.now() - startedMs));
    t.diagnostic(`${perSecond} events a second through strfry and the plugin, signatures and disk included`);
    assert.ok(answers.every(([ok]) => ok));
    const ids = many.slice(0, 100).map(({ id }) => id);
    assert.equal(await stored(relay, ids), ids.length);

    // As a member of ours forwards: with the hops in a third element.
    const forwarded = note(here, 'forwarded');
    const accepted = new Promise((resolve) => {
      const subscription = relay.subscribe([{ ids: [forwarded.id] }], {
        onevent: () => {
          subscription.close();
          resolve(true);
        },
      });
    });
    await relay.send(`["EVENT",${JSON.stringify(forwarded)},{"hops":1}]`);
    assert.equal(await accepted, true);

    cacheTable(join(dir, 'table'), table(2, 0));
    await waitFor(() => /"epoch":2,.*table applied/.test(strfry.log()), 'the new table');
    assert.equal((await publish(relay, note(elsewhere, 'now here')))[0], true);
    const exit = once(strfry.child, 'exit');
    strfry.child.kill('SIGTERM');
    await exit;
    assert.doesNotMatch(strfry.log(), /unparseable|Plugin error|id mismatch/);
  });

  it('lets the operator’s own sync through', async () => {
    const dir = join(root, 'member-2');
    cacheTable(join(dir, 'table'), table(1, 1));
    const source = await startStrfry('source');
    const target = await startStrfry('target', dir);
    const events = Array.from({ length: 50 }, (_, i) => note(elsewhere, `upstream ${i}`));
    const from = await connect(source.url);
    for (const [ok] of await Promise.all(events.map((event) => publish(from, event)))) assert.equal(ok, true);
    await promisify(execFile)(STRFRY!, ['--config', target.config, 'sync', source.url, '--dir', 'down'], {
      env: target.env,
      timeout: 20_000,
    });
    const to = await connect(target.url);
    assert.equal(
      await stored(
        to,
        events.map(({ id }) => id),
      ),
      events.length,
    );
    assert.equal((await publish(to, note(elsewhere, 'by a client')))[0], false);
  });
});
