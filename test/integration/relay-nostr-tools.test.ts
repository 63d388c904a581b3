import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import {
  finalizeEvent,
  generateSecretKey,
  getPublicKey,
  type NostrEvent,
  verifyEvent,
} from 'nostr-tools/pure';
import { Relay as NostrToolsRelay } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { TestCluster, until } from './relay-fixture.ts';

useWebSocketImplementation(WebSocket);

describe('nostr-tools, which knows nothing of placement', { timeout: 30_000 }, () => {
  const secret = generateSecretKey();
  const pubkey = getPublicKey(secret);
  const note = (content: string, fields: object = {}): NostrEvent =>
    finalizeEvent(
      { kind: 1, created_at: Math.floor(Date.now() / 1000), tags: [], content, ...fields },
      secret,
    );
  let cluster: TestCluster;
  const url = (member: number) => cluster.members[member]!.url;

  before(async () => {
    cluster = await TestCluster.make(4);
    await cluster.startAll();
    cluster.place([{ members: [0, 1], accounts: [pubkey] }]);
  });
  after(() => cluster.stop());

  it('publishes to the wrong member and reads from the right one, and from any other', async () => {
    const event = note('to the wrong one');
    const wrong = await NostrToolsRelay.connect(url(3));
    assert.match(await wrong.publish(event), /^forwarding to ws:/);
    wrong.close();
    const pool = new SimplePool();
    for (const member of [0, 1, 2, 3]) {
      const got = await until(
        `the note at ${member}`,
        async () => await pool.get([url(member)], { authors: [pubkey], kinds: [1] }),
      );
      assert.equal(got.id, event.id);
      assert.ok(verifyEvent(got));
    }
    pool.close([0, 1, 2, 3].map(url));
  });

  it('subscribes at any member to whom it likes', async () => {
    const pool = new SimplePool();
    const got: string[] = [];
    let eose = 0;
    const sub = pool.subscribe(
      [url(2), url(3)],
      { authors: [pubkey], since: Math.floor(Date.now() / 1000) - 60 },
      {
        onevent: (event) => got.push(event.content),
        oneose: () => {
          eose++;
        },
      },
    );
    await until('EOSE', () => eose > 0);
    const right = await NostrToolsRelay.connect(url(1));
    await right.publish(note('live'));
    await until('the live note', () => got.includes('live'));
    sub.close();
    right.close();
    pool.close([url(2), url(3)]);
  });

  it('authenticates, and publishes a protected event where its account lives', async () => {
    const relay = await NostrToolsRelay.connect(url(0));
    const event = note('protected', { tags: [['-']] });
    await assert.rejects(relay.publish(event), /auth-required/);
    await relay.auth(async (template) => finalizeEvent(template, secret));
    assert.equal(await relay.publish(event), '');
    relay.close();
  });

  it('sees why a write is refused', async () => {
    const relay = await NostrToolsRelay.connect(url(0));
    const event = { ...note('x'), content: 'changed' };
    await assert.rejects(relay.publish(event), /^Error: invalid: wrong id/);
    relay.close();
  });
});

describe('a member set to redirect', { timeout: 30_000 }, () => {
  it('names the right relays in OK', async () => {
    const secret = generateSecretKey();
    const cluster = await TestCluster.make(2);
    await cluster.startAll({ writes: 'redirect' });
    cluster.place([{ members: [0], accounts: [getPublicKey(secret)] }]);
    try {
      const relay = await NostrToolsRelay.connect(cluster.members[1]!.url);
      const event = finalizeEvent(
        { kind: 1, created_at: Math.floor(Date.now() / 1000), tags: [], content: '' },
        secret,
      );
      await assert.rejects(relay.publish(event), new RegExp(`redirect: ${cluster.members[0]!.url}`));
      relay.close();
    } finally {
      await cluster.stop();
    }
  });
});
