import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import type { Limits } from '@covey/relay';
import { authenticate } from '../conformance/relay-checks.ts';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, until } from './relay-fixture.ts';

const alice = newSigner();
const clusters: TestCluster[] = [];
const clients: WireClient[] = [];

async function make(count: number, limits?: Partial<Limits>): Promise<TestCluster> {
  const cluster = await TestCluster.make(count, limits ? { limits } : {});
  clusters.push(cluster);
  return cluster;
}

async function open(url: string): Promise<WireClient> {
  const client = await WireClient.open(url);
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
});

describe('when members are away', { timeout: 60_000 }, () => {
  it('a replica answers for its master', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const event = alice.sign();
    await (await open(cluster.members[0]!.url)).publish(event);
    const replica = await open(cluster.members[1]!.url);
    await until('the copy', async () => (await replica.read({ ids: [event.id] })).events.length === 1);
    await cluster.members[0]!.stop();
    const { events, end, notices } = await (await open(cluster.members[2]!.url)).read({
      authors: [alice.pubkey],
    });
    assert.deepEqual(events, [event]);
    assert.deepEqual(end[2], ['finish']);
    assert.deepEqual(notices, []);
  });

  it('a master that accepts connections and says nothing does not hold up readers for long', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.members[1]!.start();
    await cluster.members[2]!.start();
    const mute = await listenMute(cluster.members[0]!.port);
    try {
      const event = alice.sign();
      await (await open(cluster.members[1]!.url)).publish(event);
      for (const limit of [10, 5]) {
        const { events, end } = await (await open(cluster.members[2]!.url)).read({
          authors: [alice.pubkey],
          limit,
        });
        assert.deepEqual(events, [event]);
        assert.equal(end[0], 'EOSE');
      }
    } finally {
      await mute();
    }
  });

  it('a live feed goes on from a replica, with what was written meanwhile', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const reader = await open(cluster.members[2]!.url);
    reader.send('REQ', 'feed', { authors: [alice.pubkey] });
    await reader.wait('EOSE', (f) => f[0] === 'EOSE');
    const replica = await open(cluster.members[1]!.url);
    await cluster.members[0]!.stop();
    for (const content of ['while it fell over', 'after']) {
      const event = alice.sign({ content });
      await replica.publish(event);
      await reader.wait(content, (f) => f[0] === 'EVENT' && (f[2] as { id: string }).id === event.id);
    }
    const got = reader.frames.filter((f) => f[0] === 'EVENT').map((f) => (f[2] as { id: string }).id);
    assert.equal(new Set(got).size, got.length, 'each event once');
  });

  it('with no copy in reach it says so, and delivers when one is back', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const event = alice.sign();
    await (await open(cluster.members[0]!.url)).publish(event);
    await cluster.members[0]!.stop();
    await cluster.members[1]!.stop();
    const reader = await open(cluster.members[2]!.url);
    reader.send('REQ', 'feed', { authors: [alice.pubkey] });
    const end = await reader.wait('EOSE', (f) => f[0] === 'EOSE');
    assert.deepEqual(end[2], ['more']);
    assert.ok(reader.frames.some((f) => f[0] === 'NOTICE' && /could not be reached/.test(f[1] as string)));
    await cluster.members[0]!.start();
    await reader.wait(
      'the event',
      (f) => f[0] === 'EVENT' && (f[2] as { id: string }).id === event.id,
      20_000,
    );
  });

  it('writes for them wait on disk, over a restart of the one that forwards', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0, 1], accounts: [alice.pubkey] }]);
    const [master, replica, forwarder] = cluster.members;
    await forwarder!.start();
    const events = Array.from({ length: 20 }, (_, i) => alice.sign({ content: String(i) }));
    const client = await open(forwarder!.url);
    for (const event of events) assert.equal((await client.publish(event))[0], true);
    assert.match((await client.publish(events[0]!))[1], /^duplicate: already forwarding/);
    assert.equal(forwarder!.relay!.load().spooled, 40);
    await forwarder!.stop();
    await forwarder!.start();
    await master!.start();
    await replica!.start();
    for (const member of [master!, replica!])
      await until('all events', async () => member.relay!.load().events === events.length);
    await until('an empty spool', () => forwarder!.relay!.load().spooled === 0);
  });

  it('a full spool is said, and takes nothing that would be lost', async () => {
    const cluster = await make(2, { spoolPerMemberMax: 5 });
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.members[1]!.start();
    const client = await open(cluster.members[1]!.url);
    for (let i = 0; i < 5; i++)
      assert.equal((await client.publish(alice.sign({ content: String(i) })))[0], true);
    const [accepted, message] = await client.publish(alice.sign({ content: 'too many' }));
    assert.equal(accepted, false);
    assert.match(message, /^error: .*try them yourself: ws:/);
  });

  it('what waits for a member that left goes to where the next table says', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.members[1]!.start();
    await cluster.members[2]!.start();
    const event = alice.sign();
    const client = await open(cluster.members[2]!.url);
    await client.publish(event);
    cluster.place([{ members: [1], accounts: [alice.pubkey] }]);
    const holder = await open(cluster.members[1]!.url);
    await until('the event', async () => (await holder.read({ ids: [event.id] })).events.length === 1);
    await until('an empty spool', () => cluster.members[2]!.relay!.load().spooled === 0);
  });
});

describe('with no place for another live subscription at a member', { timeout: 30_000 }, () => {
  it('what is stored comes at once, and what is new comes later', async () => {
    const cluster = await make(2, { upstreamsPerMemberMax: 1 });
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const writer = await open(cluster.members[0]!.url);
    const stored = alice.sign({ kind: 7 });
    await writer.publish(stored);
    const reader = await open(cluster.members[1]!.url);
    reader.send('REQ', 'first', { authors: [alice.pubkey], kinds: [1] });
    reader.send('REQ', 'second', { authors: [alice.pubkey], kinds: [7] });
    await reader.wait('both EOSE', () => reader.frames.filter((f) => f[0] === 'EOSE').length === 2);
    const late = alice.sign({ kind: 7, content: 'late' });
    await writer.publish(late);
    await reader.wait(
      'what is new',
      (f) => f[0] === 'EVENT' && (f[2] as { id: string }).id === late.id,
      12_000,
    );
    const got = reader.frames.filter((f) => f[0] === 'EVENT').map((f) => (f[2] as { id: string }).id);
    assert.deepEqual(got, [stored.id, late.id]);
  });
});

describe('without a table', { timeout: 30_000 }, () => {
  it('everything is kept, and copied to its holders when a table comes', async () => {
    const cluster = await make(2);
    await cluster.startAll();
    const event = alice.sign();
    const client = await open(cluster.members[1]!.url);
    assert.deepEqual(await client.publish(event), [true, '']);
    assert.deepEqual((await client.read({ authors: [alice.pubkey] })).end[2], ['finish']);
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    const holder = await open(cluster.members[0]!.url);
    await until('the copy', async () => (await holder.read({ ids: [event.id] })).events.length === 1);
  });
});

describe('between members', { timeout: 30_000 }, () => {
  it('tables that differ move an event on, three hops at most', async () => {
    const cluster = await make(4);
    const [a, b, c, d] = cluster.members;
    await cluster.startAll();
    // Each believes the next one to hold the account; the last is right.
    const accounts = [alice.pubkey];
    a!.tables.set(cluster.table([{ members: [1], accounts }]));
    b!.tables.set(cluster.table([{ members: [2], accounts }]));
    const right = cluster.table([{ members: [3], accounts }]);
    c!.tables.set(right);
    d!.tables.set(right);
    const event = alice.sign();
    assert.equal((await (await open(a!.url)).publish(event))[0], true);
    const holder = await open(d!.url);
    await until('three hops', async () => (await holder.read({ ids: [event.id] })).events.length === 1);
    // And a circle ends: the last in it refuses, who sent it keeps it until tables agree.
    c!.tables.set(cluster.table([{ members: [0], accounts }]));
    d!.tables.set(cluster.table([{ members: [0], accounts }]));
    const lost = alice.sign({ content: 'in a circle' });
    assert.equal((await (await open(a!.url)).publish(lost))[0], true);
    await until('it is kept and tried again', async () => {
      const text = await a!.relay!.metrics.registry.getSingleMetricAsString('covey_relay_events_total');
      return Number(/outcome="hop limit"} (\d+)/.exec(text)?.[1]) >= 2;
    });
    cluster.place([{ members: [3], accounts }]);
    await until(
      'it arrives',
      async () => (await holder.read({ ids: [lost.id] })).events.length === 1,
      15_000,
    );
  });

  it('a member is answered from what is here, and may pass on nobody’s protected event', async () => {
    const cluster = await make(3);
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.startAll();
    const event = alice.sign();
    await (await open(cluster.members[0]!.url)).publish(event);
    const { url } = cluster.members[2]!;
    const peer = await open(url);
    assert.deepEqual(await authenticate(peer, url, cluster.members[1]!.key), [true, '']);
    assert.deepEqual((await peer.read({ authors: [alice.pubkey] })).events, []);
    const client = await open(url);
    assert.deepEqual((await client.read({ authors: [alice.pubkey] })).events, [event]);
    const [accepted, message] = await peer.publish(alice.sign({ tags: [['-']] }));
    assert.equal(accepted, false);
    assert.match(message, /^auth-required: /);
    // An author who brings it to the wrong place is told the right one.
    await authenticate(client, url, alice);
    const [taken, where] = await client.publish(alice.sign({ tags: [['-']] }));
    assert.equal(taken, false);
    assert.ok(where.startsWith('restricted: ') && where.includes(cluster.members[0]!.url), where);
  });

  it('a forged event from a member reaches no client', async () => {
    const cluster = await make(2);
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.members[1]!.start();
    const forged = { ...alice.sign(), content: 'forged' };
    const good = alice.sign({ content: 'good' });
    const { WebSocketServer } = await import('ws');
    const server = new WebSocketServer({ port: cluster.members[0]!.port, host: '127.0.0.1' });
    server.on('connection', (socket) => {
      const hello = JSON.stringify(['COVEY-MEMBER', cluster.members[0]!.key.pubkey]);
      socket.on('message', (data) => {
        const [type, body] = JSON.parse(data.toString());
        if (type === 'COVEY-MEMBER') for (const frame of [hello, '["AUTH","c"]']) socket.send(frame);
        if (type === 'AUTH') socket.send(JSON.stringify(['OK', body.id, true, '']));
        if (type !== 'REQ') return;
        for (const event of [forged, good, { nonsense: 1 }, newSigner().sign()])
          socket.send(JSON.stringify(['EVENT', body, event]));
        socket.send(JSON.stringify(['EOSE', body]));
      });
    });
    try {
      const { events } = await (await open(cluster.members[1]!.url)).read({ authors: [alice.pubkey] });
      assert.deepEqual(events, [good]);
    } finally {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('under abuse', { timeout: 60_000 }, () => {
  it('a slow reader is cut and others are not harmed', async () => {
    const cluster = await make(1, { outboundBytesMax: 1024 * 1024 });
    cluster.place([]);
    await cluster.startAll();
    const { url } = cluster.members[0]!;
    const slow = await open(url);
    slow.send('REQ', 'all', { authors: [alice.pubkey] });
    await slow.wait('EOSE', (f) => f[0] === 'EOSE');
    slow.socket.pause();
    const writer = await open(url);
    const cut = async () => {
      const text = await cluster.members[0]!.relay!.metrics.registry.getSingleMetricAsString(
        'covey_relay_connections_cut_total',
      );
      return /reason="slow reader"} 1/.test(text);
    };
    for (let i = 0; i < 200 && !(await cut()); i++)
      await writer.publish(alice.sign({ content: `${i} ${'x'.repeat(100_000)}` }));
    assert.ok(await cut());
    assert.deepEqual((await writer.publish(alice.sign({ content: 'still here' })))[0], true);
  });

  it('connections over the bound are refused, and places come free again', async () => {
    const cluster = await make(1, { connectionsMax: 3 });
    await cluster.startAll();
    const { url } = cluster.members[0]!;
    const first = [await open(url), await open(url), await open(url)];
    await assert.rejects(open(url), /503/);
    first[0]!.close();
    await until('a free place', () =>
      open(url).then(
        () => true,
        () => false,
      ),
    );
  });

  it('half-open handshakes, invalid UTF-8 and binary frames harm nobody', async () => {
    const cluster = await make(1, { handshakeMs: 300 });
    await cluster.startAll();
    const { url, port } = cluster.members[0]!;
    const { connect } = await import('node:net');
    const half = connect(port, '127.0.0.1');
    half.write('GET / HTTP/1.1\r\nHost: x\r\nUpgr');
    half.on('error', () => {});
    const strange = connect(port, '127.0.0.1');
    strange.write('GET // HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => strange.once('data', resolve));
    strange.destroy();
    await new Promise((resolve) => half.once('close', resolve).resume());
    const binary = await open(url);
    binary.socket.send(Buffer.from([1, 2, 3]));
    await binary.wait('NOTICE', (f) => f[0] === 'NOTICE');
    assert.equal((await binary.publish(alice.sign()))[0], true);
    const invalid = await open(url);
    // A text frame with bytes that are no UTF-8, masked with zeros.
    (invalid.socket as unknown as { _socket: Socket })._socket.write(
      Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]),
    );
    assert.equal(await invalid.closed(), 1007);
    assert.equal((await binary.publish(alice.sign({ content: '2' })))[0], true);
  });

  it('a stop tells clients, and does not wait for one that does not listen', async () => {
    const cluster = await make(1);
    await cluster.startAll();
    const { url } = cluster.members[0]!;
    const client = await open(url);
    const deaf = await open(url);
    deaf.socket.pause();
    const closed = client.closed();
    await cluster.members[0]!.stop();
    assert.equal(await closed, 1001);
  });
});

after(() => {
  assert.equal(clusters.length, 0);
});

/** A server that accepts connections and never answers, as a stopped process does. */
async function listenMute(port: number): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}
