import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { Relay } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { describeClientLibrary } from './client-library.ts';
import { TestCluster } from './relay-fixture.ts';

useWebSocketImplementation(WebSocket);

describeClientLibrary('nostr-tools', () => {
  const pool = new SimplePool();
  return {
    async publish(url, event) {
      const [answer] = await Promise.allSettled(pool.publish([url], event));
      return answer!.status === 'fulfilled'
        ? { accepted: true, text: answer!.value }
        : { accepted: false, text: String(answer!.reason) };
    },
    read: (url, filter) => pool.querySync([url], filter),
    subscribe(urls, filter, onevent) {
      const subscription = pool.subscribe([...urls], filter, { onevent });
      return () => subscription.close();
    },
    close: () => pool.destroy(),
  };
});

it('nostr-tools authenticates when asked to, and publishes a protected event', async () => {
  const cluster = await TestCluster.make(1);
  try {
    await cluster.startAll();
    cluster.place([]);
    const secret = generateSecretKey();
    const now = Math.floor(Date.now() / 1000);
    const event = finalizeEvent({ kind: 1, created_at: now, tags: [['-']], content: 'protected' }, secret);
    const relay = await Relay.connect(cluster.members[0]!.url);
    await assert.rejects(relay.publish(event), /auth-required/);
    await relay.auth(async (template) => finalizeEvent(template, secret));
    assert.equal(await relay.publish(event), '');
    relay.close();
  } finally {
    await cluster.stop();
  }
});
