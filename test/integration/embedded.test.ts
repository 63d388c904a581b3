import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connectNats, createNkey } from '@covey/nats';
import { inboxPrefix, subjectsOf } from '@covey/protocol';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { nkeyAuthenticator, connect as rawConnect } from '@nats-io/transport-node';
import postgres from 'postgres';
import { initPostgres } from '../../services/cli/src/up/embedded-postgres.ts';
import { findNatsServer } from '../../services/cli/src/up/nats-binary.ts';
import { findPostgresPackage, preparePostgres } from '../../services/cli/src/up/postgres-binaries.ts';
import { postgresUser } from '../../services/cli/src/up/unprivileged.ts';
import { startNats, startPostgres, temporaryDirectory } from '../support/servers.ts';

const MEMBER = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);
const directory = temporaryDirectory('embedded');
after(() => rmSync(directory, { recursive: true }));

describe('embedded PostgreSQL', {
  skip: process.env['DATABASE_URL'] && 'DATABASE_URL names a real one',
}, () => {
  test('is empty, listens on loopback alone, and wants the password', async () => {
    const { url, stop } = await startPostgres();
    const sql = postgres(url, { max: 1 });
    const [row] = await sql`select (select count(*)::int from pg_stat_user_tables) as tables,
      current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets`;
    assert.deepEqual({ ...row }, { tables: 0, addresses: '127.0.0.1', sockets: '' });
    await sql.end();
    const wrong = new URL(url);
    wrong.password = 'guess';
    const refused = postgres(wrong.href, { max: 1 });
    await assert.rejects(async () => await refused`select 1`, /password authentication failed/);
    await refused.end({ timeout: 0 });
    await assertLoopbackOnly(Number(new URL(url).port));
    await stop();
    const gone = postgres(url, { max: 1, connect_timeout: 1 });
    await assert.rejects(async () => await gone`select 1`, /ECONNREFUSED/);
    await gone.end({ timeout: 0 });
  });

  test('runs from a package whose links npm did not make and that can’t be written to', async (t) => {
    const user = postgresUser();
    const closed = join(directory, 'closed');
    const native = join(closed, 'package', 'native');
    const filter = (path: string) =>
      !/\.a$|\/lib\/lib[a-z0-9_]+\.so(\.\d+)?$/.test(path) ||
      /liblzma|libossp|libssl|libcrypto|libx|libz/.test(path);
    mkdirSync(join(closed, 'package'), { recursive: true });
    cpSync(findPostgresPackage(), native, { recursive: true, verbatimSymlinks: true, filter });
    const before = readdirSync(join(native, 'lib'));
    assert.ok(!before.includes('libpq.so.5'), 'the package still has its links');
    // Root writes everywhere; it is PostgreSQL's user who can't get in.
    if (user) chmodSync(closed, 0o700);
    else chmodSync(join(native, 'lib'), 0o500);
    t.after(() => chmodSync(join(native, 'lib'), 0o700));
    const binaries = preparePostgres(native, join(directory, 'programs'), user);
    assert.ok(binaries.postgres.startsWith(join(directory, 'programs')));
    const dataDir = join(directory, 'data');
    await initPostgres({ binaries, dataDir, user, password: 'x', port: 0, durable: false });
    assert.ok(existsSync(join(dataDir, 'PG_VERSION')));
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(join(native, 'lib')), before);
    assert.deepEqual(preparePostgres(native, join(directory, 'programs'), user), binaries);
  });

  test('an initdb that fails leaves nothing behind, and says why', async () => {
    const binaries = preparePostgres(findPostgresPackage(), join(directory, 'programs'), postgresUser());
    const broken = { ...binaries, initdb: join(directory, 'initdb') };
    writeFileSync(broken.initdb, '#!/bin/sh\necho "no space left" >&2\nexit 3\n', { mode: 0o755 });
    const dataDir = join(directory, 'half');
    const settings = {
      binaries: broken,
      dataDir,
      user: postgresUser(),
      password: 'x',
      port: 0,
      durable: false,
    };
    await assert.rejects(initPostgres(settings), {
      name: 'EmbeddedPostgresError',
      message: /failed \(3\)[\s\S]*no space left/,
    });
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith('half')),
      [],
    );
  });
});

describe('embedded NATS', { skip: process.env['NATS_URL'] && 'NATS_URL names a real one' }, () => {
  test('lets each user do what is its own, and nothing else', async (t) => {
    const nats = await startNats({ members: [MEMBER, OTHER] });
    t.after(nats.stop);
    const s = subjectsOf(nats.cluster);
    const open = (user: string) => connectNats({ url: nats.url, user, nkeyFile: nats.nkeyFile(user) });
    const [coordinator, api, member] = (await Promise.all(['coordinator', 'api', MEMBER].map(open))) as [
      NatsConnection,
      NatsConnection,
      NatsConnection,
    ];
    t.after(() => Promise.all([coordinator, api, member].map((connection) => connection.close())));
    const manager = await jetstreamManager(coordinator);
    await manager.streams.add({ name: s.tableStream, subjects: [s.manifest, s.deltas] });
    await jetstream(coordinator).publish(s.manifest, 'm');

    const heard: string[] = [];
    // By callback: an iterator hands a message on only some turns after the flush that came behind it.
    const hear = (connection: NatsConnection, subject: string) =>
      connection.subscribe(subject, { callback: (_error, message) => void heard.push(message.subject) });
    hear(api, s.heartbeats);
    hear(coordinator, s.acks);
    await Promise.all([api.flush(), coordinator.flush()]);
    for (const subject of [s.heartbeat(MEMBER), s.ack(MEMBER), s.heartbeat(OTHER), s.manifest])
      member.publish(subject, 'x');
    api.publish(s.heartbeat(MEMBER), 'x');
    // What the server has from them it has handed on; what it has handed on has come when it answers the others.
    await Promise.all([member.flush(), api.flush()]);
    await Promise.all([api.flush(), coordinator.flush()]);
    assert.deepEqual(heard.sort(), [s.ack(MEMBER), s.heartbeat(MEMBER)].sort());
    assert.equal((await manager.streams.info(s.tableStream)).state.messages, 1);

    await subscribed(member, s.manifest);
    for (const subject of [s.acks, s.heartbeats, `${inboxPrefix(OTHER)}.>`, '>'])
      await assert.rejects(subscribed(member, subject), /permissions violation/i);
    await assert.rejects(
      (await jetstreamManager(member)).streams.delete(s.tableStream),
      'a member deletes a stream',
    );
    const stranger = nkeyAuthenticator(new TextEncoder().encode(createNkey().seed));
    await assert.rejects(rawConnect({ servers: nats.url, authenticator: stranger }), /authorization/i);
    await assert.rejects(rawConnect({ servers: nats.url }), /authorization/i);
    await assertLoopbackOnly(Number(new URL(nats.url).port));
  });

  test('keeps its streams over a restart', async (t) => {
    const nats = await startNats();
    t.after(nats.stop);
    const open = () =>
      connectNats({ url: nats.url, user: 'coordinator', nkeyFile: nats.nkeyFile('coordinator') });
    const s = subjectsOf(nats.cluster);
    const first = await open();
    await (await jetstreamManager(first)).streams.add({ name: s.tableStream, subjects: [s.manifest] });
    await jetstream(first).publish(s.manifest, 'm');
    await first.close();
    await nats.restart();
    const second = await open();
    assert.equal((await (await jetstreamManager(second)).streams.info(s.tableStream)).state.messages, 1);
    await second.close();
  });
});

test('where no NATS server is packaged the one on the PATH is taken, unless it is too old', () => {
  const path = join(directory, 'bin');
  mkdirSync(path);
  const pretend = (version: string) =>
    writeFileSync(join(path, 'nats-server'), `#!/bin/sh\necho nats-server: v${version}\n`, { mode: 0o755 });
  const find = () => findNatsServer({ path, platform: 'sunos-x64' });
  assert.throws(
    find,
    /no embedded NATS server for sunos-x64[\s\S]*Next: install nats-server 2\.10 or newer.*NATS_URL/,
  );
  pretend('2.9.10');
  assert.throws(find, /version 2\.9\.10, which is too old/);
  pretend('2.10.0');
  assert.equal(find(), join(path, 'nats-server'));
});

async function subscribed(connection: NatsConnection, subject: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const subscription = connection.subscribe(subject, {
      callback: (error) => {
        if (error) reject(error);
      },
    });
    // The server's refusal comes before the answer to the flush.
    connection.flush().then(() => resolve(), reject);
    void subscription.closed.then((error) => {
      if (error) reject(error);
    });
  });
}

/** No other address of this machine answers on the port. */
async function assertLoopbackOnly(port: number): Promise<void> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  for (const { address, internal, scopeid } of addresses) {
    if (internal || scopeid) continue;
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: address, port, timeout: 1_000 });
      socket
        .on('connect', () => resolve(true))
        .on('error', () => resolve(false))
        .on('timeout', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    assert.equal(open, false, `${address}:${port} answers`);
  }
}
