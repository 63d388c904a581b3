import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import { namesNoRelay, vanishesHere } from './vanish.ts';

const request = (...relays: string[]): NostrEvent => ({
  id: '0'.repeat(64),
  pubkey: '1'.repeat(64),
  created_at: 1,
  kind: 62,
  tags: relays.map((relay) => ['relay', relay]),
  content: '',
  sig: '0'.repeat(128),
});

test('a request to vanish is followed by the relays that it names', () => {
  const here = 'wss://relay.example';
  assert.ok(vanishesHere(request('ALL_RELAYS'), here));
  assert.ok(vanishesHere(request('wss://other.example', 'WSS://Relay.Example/'), here));
  assert.ok(
    !vanishesHere(request('wss://other.example', 'wss://relay.example:8443', 'all_relays', '::'), here),
  );
  assert.ok(!vanishesHere(request(), here));
  assert.ok(!vanishesHere({ ...request('ALL_RELAYS'), kind: 1 }, here));
  assert.ok(namesNoRelay(request()));
  assert.ok(!namesNoRelay(request('wss://other.example')));
});
