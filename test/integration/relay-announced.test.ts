import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { eventId, type NostrEvent, verifyEvent } from '@covey/nostr';
import {
  isShortened,
  type Moved,
  parseEventsFrame,
  parsePlacementFrame,
  parseRedirect,
  readDeflatedEventsFrame,
} from '@covey/protocol';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, until } from './relay-fixture.ts';

type Frame = unknown[];

/** The events of all EVENTS frames, text and binary, of one subscription, frame by frame. */
function batchesOf(client: WireClient, subscription: string): NostrEvent[][] {
  return client.frames.flatMap((frame) => {
    if (frame[0] === 'BINARY') {
      const read = readDeflatedEventsFrame(frame[1] as Buffer);
      return read.subscription === subscription
        ? [JSON.parse(inflateRawSync(read.deflatedList).toString())]
        : [];
    }
    const batch = parseEventsFrame(frame);
    return batch?.subscription === subscription ? [batch.events as NostrEvent[]] : [];
  });
}
const eventsOf = (client: WireClient, subscription: string) => batchesOf(client, subscription).flat();
const eoseOf = (subscription: string) => (f: Frame) => f[0] === 'EOSE' && f[1] === subscription;
const now = () => Math.floor(Date.now() / 1000);

describe('clients that announced themselves', { timeout: 60_000 }, () => {
  const alice = newSigner();
  const bob = newSigner();
  const carol = newSigner();
  let cluster: TestCluster;
  const clients: WireClient[] = [];
  const url = (member: number) => cluster.members[member]!.url;
  const open = async (member: number, options?: object) => {
    const client = await WireClient.open(url(member));
    clients.push(client);
    if (options) {
      client.send('COVEY', { version: 1, ...options });
      await client.wait('the answer', (f) => f[0] === 'COVEY');
    }
    return client;
  };
  const place = (changes: { bob?: number[] } = {}) =>
    cluster.place([
      { members: [0, 1], accounts: [alice.pubkey] },
      { members: changes.bob ?? [2, 3], accounts: [bob.pubkey] },
      { members: [0], accounts: [carol.pubkey] },
    ]);
  const written: NostrEvent[] = [];

  before(async () => {
    cluster = await TestCluster.make(4);
    place();
    await cluster.startAll();
    await cluster.well();
    const author = await open(0);
    for (let n = 0; n < 120; n++)
      written.push(
        carol.sign({ created_at: now() - 1000 + n, content: `note ${n} ${'lorem ipsum '.repeat(n % 9)}` }),
      );
    await Promise.all(written.map((event) => author.publish(event)));
  });
  after(async () => {
    for (const client of clients) client.close();
    await cluster.stop();
  });

  it('are told which options they get', async () => {
    const client = await open(0, { batch: 500, compress: 'zstd' });
    const [, field] = client.frames.find((f) => f[0] === 'COVEY')! as [string, Record<string, unknown>];
    assert.equal(field['epoch'], 1);
    assert.deepEqual(field['options'], { redirects: true, batch: 50 });
    client.send('COVEY', { version: 1, kinds: 'all' });
    await client.wait('a notice', (f) => f[0] === 'NOTICE' && /right types/.test(f[1] as string));
  });

  it('are sent to the members of accounts that all live elsewhere', async () => {
    const client = await open(0, {});
    client.send('REQ', 'away', { authors: [bob.pubkey], kinds: [1] });
    const end = await client.wait('CLOSED', (f) => f[0] === 'CLOSED' && f[1] === 'away');
    assert.deepEqual(parseRedirect(end[2] as string), [url(2), url(3)]);
    const named = client.frames.map(parsePlacementFrame).find((f) => f?.type === 'ELSEWHERE');
    assert.deepEqual(named, {
      type: 'ELSEWHERE',
      subscription: 'away',
      body: { epoch: 1, accounts: [{ filter: 0, by: 'authors', keys: [0], relays: [url(2), url(3)] }] },
    });
    // The connection can have as many subscriptions as before.
    assert.equal(cluster.members[0]!.relay!.load().subscriptions, 0);
  });

  it('get what is here and the names of the rest, when a REQ is mixed', async () => {
    const client = await open(0, {});
    client.send('REQ', 'mixed', { authors: [carol.pubkey, bob.pubkey], limit: 5 });
    const end = await client.wait('EOSE', eoseOf('mixed'));
    assert.deepEqual(end[2], ['more']);
    assert.equal(client.frames.filter((f) => f[0] === 'EVENT').length, 5);
    const named = client.frames.map(parsePlacementFrame).find((f) => f?.type === 'ELSEWHERE');
    assert.deepEqual(named?.type === 'ELSEWHERE' && named.body.accounts[0]?.keys, [1]);
    assert.equal(cluster.members[0]!.relay!.metrics.sentEvents >= 5, true);
  });

  it('are served in full when they ask for no redirects', async () => {
    const author = await open(2);
    const event = bob.sign({ content: 'far away' });
    await author.publish(event);
    const client = await open(0, { redirects: false, batch: 10 });
    client.send('REQ', 'all', { authors: [bob.pubkey] });
    await client.wait('EOSE', eoseOf('all'));
    assert.deepEqual(
      eventsOf(client, 'all').map((e) => e.id),
      [event.id],
    );
    assert.match((await client.publish(bob.sign({ content: 'forwarded' })))[1], /^(forwarding|$)/);
  });

  it('get stored and new events in batches', async () => {
    const client = await open(0, { batch: 50 });
    client.send('REQ', 'b', { authors: [carol.pubkey], until: now() - 500 });
    await client.wait('EOSE', eoseOf('b'));
    assert.deepEqual(
      batchesOf(client, 'b').map((batch) => batch.length),
      [50, 50, 20],
    );
    assert.deepEqual(
      eventsOf(client, 'b').map((e) => e.id),
      written.map((e) => e.id).reverse(),
    );
    client.send('REQ', 'live', { authors: [alice.pubkey], limit: 0 });
    await client.wait('EOSE', eoseOf('live'));
    const author = await open(0);
    const fresh = Array.from({ length: 30 }, (_, n) => alice.sign({ content: `live ${n}` }));
    await Promise.all(fresh.map((event) => author.publish(event)));
    await until('all 30', () => eventsOf(client, 'live').length === 30);
    assert.ok(batchesOf(client, 'live').length < 30, 'several in one frame');
    assert.ok(eventsOf(client, 'live').every((event) => verifyEvent(event) === 'valid'));
    assert.ok(!client.frames.some((f) => f[0] === 'EVENT'));
  });

  it('get them compressed, each id in front of what all share', async () => {
    const readers = await Promise.all([1, 2, 3].map(() => open(0, { compress: 'deflate-raw' })));
    readers.forEach((client, i) => {
      client.send('REQ', `c${i}`, { authors: [carol.pubkey], until: now() - 500 });
    });
    await Promise.all(readers.map((client, i) => client.wait('EOSE', eoseOf(`c${i}`))));
    readers.forEach((client, i) => {
      assert.deepEqual(
        eventsOf(client, `c${i}`).map((e) => e.id),
        written.map((e) => e.id).reverse(),
      );
      const sent = client.frames.filter((f) => f[0] === 'BINARY').map((f) => f[1] as Buffer);
      assert.equal(sent.length, 3);
    });
    // New events, small and large, text and binary, stay in order.
    for (const client of readers) client.send('REQ', 'live', { authors: [alice.pubkey], limit: 0 });
    await Promise.all(readers.map((client) => client.wait('EOSE', eoseOf('live'))));
    const author = await open(0);
    const order: string[] = [];
    for (let n = 0; n < 40; n++) {
      const event = alice.sign({ content: 'x'.repeat((n * 379) % 3000) });
      order.push(event.id);
      author.send('EVENT', event);
    }
    for (const client of readers) await until('all 40', () => eventsOf(client, 'live').length === 40);
    const first = eventsOf(readers[0]!, 'live').map((e) => e.id);
    assert.deepEqual([...first].sort(), [...order].sort());
    for (const client of readers)
      assert.deepEqual(
        eventsOf(client, 'live').map((e) => e.id),
        first,
      );
  });

  it('get no content above a size, only the kinds they want, and whole events by id', async () => {
    const author = await open(0);
    const long = alice.sign({ content: 'ü'.repeat(200), tags: [['t', 'long']] });
    const short = alice.sign({ content: 'short', tags: [['t', 'long']] });
    const reaction = alice.sign({ kind: 7, content: '+', tags: [['t', 'long']] });
    for (const event of [long, short, reaction]) await author.publish(event);
    const client = await open(0, { contentBytesMax: 280, kinds: [1] });
    client.send('REQ', 's', { authors: [alice.pubkey], '#t': ['long'] });
    await client.wait('EOSE', eoseOf('s'));
    const got = eventsOf(client, 's');
    assert.deepEqual(got.map((e) => e.id).sort(), [long.id, short.id].sort());
    const cut = got.find((e) => e.id === long.id)!;
    const { content: _, ...headers } = long;
    assert.deepEqual(cut, { ...headers, contentBytes: 400 });
    assert.ok(isShortened(cut));
    assert.deepEqual(
      got.find((e) => e.id === short.id),
      short,
    );
    client.send('REQ', 'whole', { ids: [long.id, reaction.id] });
    await client.wait('EOSE', eoseOf('whole'));
    const whole = eventsOf(client, 'whole');
    assert.equal(whole.length, 2);
    assert.ok(whole.every((event) => eventId(event) === event.id));
  });

  it('get new events of the kinds they want alone, from here and from other members', async () => {
    const client = await open(0, { redirects: false, kinds: [1, 6], batch: 10 });
    client.send('REQ', 'both', { authors: [alice.pubkey, bob.pubkey], limit: 0 });
    client.send('REQ', 'none', { authors: [alice.pubkey, bob.pubkey], kinds: [7] });
    for (const id of ['both', 'none']) await client.wait('EOSE', eoseOf(id));
    const [here, there] = [await open(0), await open(2)];
    const wanted = [alice.sign({ content: 'here' }), bob.sign({ kind: 6, content: 'there' })];
    for (const [author, signer] of [
      [here, alice],
      [there, bob],
    ] as const)
      await author.publish(signer.sign({ kind: 7, content: '+' }));
    await here.publish(wanted[0]!);
    await there.publish(wanted[1]!);
    await until('both', () => eventsOf(client, 'both').length >= 2);
    assert.deepEqual(
      eventsOf(client, 'both')
        .map((e) => e.id)
        .sort(),
      wanted.map((e) => e.id).sort(),
    );
    assert.deepEqual(eventsOf(client, 'none'), []);
  });

  it('get headers first, stored and new, from here and from other members, and the rest by id', async () => {
    const client = await open(0, { redirects: false, headersOnly: true });
    const [, field] = client.frames.find((f) => f[0] === 'COVEY')! as [string, { options: object }];
    assert.deepEqual(field.options, { redirects: false, batch: 50, contentBytesMax: 0 });
    const [here, there] = [await open(0), await open(2)];
    const tags = [['t', 'headers']];
    const stored = [alice.sign({ content: 'hello', tags }), bob.sign({ content: 'far', tags })];
    const empty = alice.sign({ content: '', tags });
    await here.publish(stored[0]!);
    await here.publish(empty);
    await there.publish(stored[1]!);
    client.send('REQ', 'h', { authors: [alice.pubkey, bob.pubkey], '#t': ['headers'] });
    await client.wait('EOSE', eoseOf('h'));
    const fresh = [alice.sign({ content: 'new', tags }), bob.sign({ content: 'new and far', tags })];
    await here.publish(fresh[0]!);
    await there.publish(fresh[1]!);
    await until('the new ones', () => eventsOf(client, 'h').length === 5);
    const got = new Map(eventsOf(client, 'h').map((event) => [event.id, event]));
    for (const event of [...stored, ...fresh]) {
      const { content, ...headers } = event;
      assert.deepEqual(got.get(event.id), { ...headers, contentBytes: Buffer.byteLength(content) });
    }
    assert.deepEqual(got.get(empty.id), empty, 'nothing was left out of it');
    // A member has no key to look for an id elsewhere: with its author it is found.
    client.send('REQ', 'whole', { ids: [stored[1]!.id], authors: [bob.pubkey] });
    client.send('REQ', 'whole here', { ids: [stored[0]!.id] });
    for (const id of ['whole', 'whole here']) await client.wait('EOSE', eoseOf(id));
    assert.deepEqual(eventsOf(client, 'whole'), [stored[1]]);
    assert.deepEqual(eventsOf(client, 'whole here'), [stored[0]]);
  });

  it('get new events without content above a size, and are sent no EVENT', async () => {
    const client = await open(0, { contentBytesMax: 10 });
    client.send('REQ', 'small', { authors: [alice.pubkey], limit: 0 });
    await client.wait('EOSE', eoseOf('small'));
    const author = await open(0);
    const exact = alice.sign({ content: '0123456789' });
    const above = alice.sign({ content: '01234567\u{1f426}' }); // 10 characters as JavaScript counts, 12 bytes
    for (const event of [exact, above]) await author.publish(event);
    await until('both', () => eventsOf(client, 'small').length === 2);
    const got = new Map(eventsOf(client, 'small').map((event) => [event.id, event]));
    assert.deepEqual(got.get(exact.id), exact);
    assert.equal(isShortened(got.get(above.id)!), true);
    assert.equal((got.get(above.id) as unknown as { contentBytes: number }).contentBytes, 12);
    assert.ok(!client.frames.some((f) => f[0] === 'EVENT'));
  });

  it('share their bytes among subscriptions, get small events for the bytes of headers, and whole ones by id', async () => {
    const client = await open(0, { bytesPerMinute: 4000, contentBytesMax: 0 });
    const author = await open(0);
    const large = Array.from({ length: 4 }, (_, n) =>
      alice.sign({ content: `${n}`.repeat(5000), tags: [['t', 'large']] }),
    );
    for (const event of large) await author.publish(event);
    client.send('REQ', 'large', { authors: [alice.pubkey], '#t': ['large'] });
    const end = await client.wait('EOSE', eoseOf('large'));
    assert.notDeepEqual(end[2], ['more'], 'content that is not sent takes no bytes');
    assert.equal(eventsOf(client, 'large').length, 4);
    // What was asked for by id comes whole, and is paid for.
    client.send('REQ', 'one', { ids: [large[0]!.id] });
    await client.wait('EOSE', eoseOf('one'));
    assert.deepEqual(eventsOf(client, 'one'), [large[0]]);
    client.send('REQ', 'other', { authors: [carol.pubkey], limit: 3 });
    assert.deepEqual((await client.wait('EOSE', eoseOf('other')))[2], ['more']);
    assert.deepEqual(eventsOf(client, 'other'), []);
    const said = client.frames.map(parsePlacementFrame).find((f) => f?.type === 'WITHHELD');
    assert.ok(said?.type === 'WITHHELD' && said.subscription === 'other');
    assert.equal(said.body.events, 3);
  });

  it('get no more bytes than they allow, and are told of the rest', async () => {
    const client = await open(0, { bytesPerMinute: 5000, batch: 50 });
    client.send('REQ', 'thin', { authors: [carol.pubkey], until: now() - 500 });
    const end = await client.wait('EOSE', eoseOf('thin'));
    assert.deepEqual(end[2], ['more']);
    const got = eventsOf(client, 'thin');
    assert.ok(got.length > 3 && JSON.stringify(got).length <= 5200, `${got.length} events`);
    const said = client.frames.map(parsePlacementFrame).find((f) => f?.type === 'WITHHELD');
    assert.ok(said?.type === 'WITHHELD');
    assert.equal(said.body.events + got.length, 120);
    assert.equal(said.body.since, written[0]!.created_at);
    client.send('REQ', 'live', { authors: [alice.pubkey], limit: 0 });
    await client.wait('EOSE', eoseOf('live'));
    await (await open(0)).publish(alice.sign({ content: 'y'.repeat(4000) }));
    await until('word of a new event', () =>
      client.frames.some((f) => f[0] === 'WITHHELD' && f[1] === 'live'),
    );
    assert.equal(eventsOf(client, 'live').length, 0);
  });

  it('are told when a new table moves whom they read, or themselves', async () => {
    const reader = await open(2, {});
    reader.send('REQ', 'bob', { authors: [bob.pubkey], limit: 1 });
    await reader.wait('EOSE', eoseOf('bob'));
    const writer = await open(2, {});
    assert.equal((await writer.publish(bob.sign({ content: 'by himself' })))[0], true);
    const other = await open(0, {});
    other.send('REQ', 'carol', { authors: [carol.pubkey], limit: 1 });
    await other.wait('EOSE', eoseOf('carol'));
    const today = await open(2);
    today.send('REQ', 'today', { authors: [bob.pubkey] });
    await today.wait('EOSE', eoseOf('today'));

    place({ bob: [1, 3] });
    for (const client of [reader, writer]) {
      const [, body] = (await client.wait('MOVED', (f) => f[0] === 'MOVED')) as [string, Moved];
      assert.equal(body.epoch, 2);
      assert.equal(body.manifest?.length, 64);
      assert.deepEqual(body.accounts, [
        { pubkeys: [bob.pubkey], write: [url(1), url(3)], read: [url(1), url(3)] },
      ]);
    }
    const end = await reader.wait('CLOSED', (f) => f[0] === 'CLOSED' && f[1] === 'bob');
    assert.deepEqual(parseRedirect(end[2] as string), [url(1), url(3)]);
    const event = bob.sign({ content: 'after the move' });
    await (await open(1)).publish(event);
    await today.wait('the new event', (f) => f[0] === 'EVENT' && (f[2] as NostrEvent).id === event.id);
    assert.ok(!other.frames.some((f) => f[0] === 'MOVED'));
    assert.ok(!today.frames.some((f) => !['AUTH', 'EVENT', 'EOSE'].includes(f[0] as string)));
  });

  it('are told where to go when a member stops', async () => {
    const reader = await open(0, {});
    reader.send('REQ', 'a', { authors: [alice.pubkey], limit: 1 });
    await reader.wait('EOSE', eoseOf('a'));
    const today = await open(0);
    const closed = [reader.closed(), today.closed()];
    await cluster.members[0]!.stop();
    assert.deepEqual(await Promise.all(closed), [1012, 1001]);
    const [, body] = reader.frames.find((f) => f[0] === 'LEAVING') as [string, Moved];
    assert.deepEqual(body.accounts, [{ pubkeys: [alice.pubkey], write: [url(1)], read: [url(1)] }]);
    assert.ok(!today.frames.some((f) => f[0] === 'LEAVING'));
    assert.equal((await (await open(1)).read({ authors: [alice.pubkey], limit: 1 })).events.length, 1);
  });
});
