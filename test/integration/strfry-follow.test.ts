import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connectNats, TablePublisher } from '@covey/nats';
import { type Ack, readAck, subjectsOf } from '@covey/protocol';
import { fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner } from '../conformance/signer.ts';
import { startNats, type TestNats } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';
import { AUTHORITY, FORGER, LAUNCHER, manifestOf, PluginProcess } from './strfry-fixture.ts';

describe('the strfry plugin on NATS', { timeout: 60_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'covey-strfry-follow-'));
  const self = newSigner();
  const other = newSigner();
  const alice = newSigner();
  const acks: Ack[] = [];
  const plugins: PluginProcess[] = [];
  let nats: TestNats;
  let connection: Awaited<ReturnType<typeof connectNats>>;
  let publisher: TablePublisher;

  let previous: string | null = null;
  const publish = async (epoch: number, master: number, authority = AUTHORITY) => {
    const table = fixtureTable({
      cluster: nats.cluster,
      epoch,
      members: [self, other].map(({ pubkey }, i) => ({ id: pubkey, url: `wss://m${i}.example` })),
      groups: [{ members: [master], accounts: [alice.pubkey] }],
    });
    const manifest = manifestOf(table, authority, previous);
    if (authority === AUTHORITY) previous = manifest.id;
    await publisher.publish({ epoch, root: table.root, manifest, snapshot: table.bytes });
  };
  const start = (dir: string, ...args: string[]) => {
    const plugin = new PluginProcess(LAUNCHER, args, {
      COVEY_MEMBER_DIR: dir,
      COVEY_MEMBER_PUBKEY: self.pubkey,
      COVEY_CLUSTER: nats.cluster,
      COVEY_ROOTS: AUTHORITY.pubkey,
      NATS_URL: nats.url,
      NATS_NKEY_FILE: nats.nkeyFile(self.pubkey),
    });
    plugins.push(plugin);
    return plugin;
  };
  const request = () => ({
    type: 'new',
    event: alice.sign(),
    receivedAt: 1,
    sourceType: 'IP4',
    sourceInfo: '192.0.2.1',
  });

  before(async () => {
    nats = await startNats({ members: [self.pubkey] });
    connection = await connectNats({
      url: nats.url,
      user: 'coordinator',
      nkeyFile: nats.nkeyFile('coordinator'),
    });
    publisher = new TablePublisher(connection, nats.cluster);
    await publisher.prepare();
    connection.subscribe(subjectsOf(nats.cluster).acks, {
      callback: (_, message) => void acks.push(readAck(message.data)),
    });
  });
  after(async () => {
    for (const { child } of plugins) child.kill('SIGKILL');
    await connection.close();
    await nats.stop();
    rmSync(root, { recursive: true, force: true });
  });

  it('follows the table in the background and acknowledges it', async () => {
    const plugin = start(join(root, 'one'), '--follow');
    assert.equal((await plugin.ask(request())).action, 'accept');
    await publish(1, 1);
    await waitFor(async () => (await plugin.ask(request())).msg === 'redirect: wss://m1.example', 'epoch 1');
    await waitFor(() => acks.some((a) => a.epoch === 1 && a.member === self.pubkey && !a.error), 'its ack');
    await publish(2, 0);
    await waitFor(async () => (await plugin.ask(request())).action === 'accept', 'epoch 2');
    await publish(3, 1, FORGER);
    await waitFor(() => acks.some((a) => a.error), 'a refusal');
    assert.equal((await plugin.ask(request())).action, 'accept');

    // strfry starts a second one for each sync and stream: it reads what the first one fetches.
    const second = start(join(root, 'one'), '--follow');
    assert.equal((await second.ask(request())).action, 'accept');
    await publish(4, 1);
    for (const each of [plugin, second])
      await waitFor(async () => (await each.ask(request())).action === 'reject', 'epoch 4');
    assert.doesNotMatch(second.stderr, /"way":"the snapshot"/);
    for (const each of [plugin, second]) assert.deepEqual(await each.close(), [0, null]);
    assert.ok(plugin.stdout.split('\n').every((line) => line === '' || JSON.parse(line).id));
  });

  it('follows as a service of its own', async () => {
    const dir = join(root, 'alone');
    const service = start(dir, '--follow-only');
    await waitFor(() => {
      const files = service.child.exitCode === null && service.stderr.includes('table applied');
      return files && readdirSync(join(dir, 'table')).includes('manifest.json');
    }, 'the cached table');
    const plugin = start(dir);
    assert.equal((await plugin.ask(request())).action, 'reject');
    assert.deepEqual(await service.kill('SIGTERM'), [0, null]);
    assert.equal(service.stdout, '');
    assert.ok(!readdirSync(join(dir, 'table')).includes('follower.lease'));
  });
});
