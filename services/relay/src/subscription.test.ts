import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import { storedForm } from './merge-answers.ts';
import type { Outbound } from './outbound.ts';
import { Subscription } from './subscription.ts';

const event = (n: number, kind = 1): NostrEvent => ({
  id: n.toString(16).padStart(64, '0'),
  pubkey: 'a'.repeat(64),
  created_at: n,
  kind,
  tags: [],
  content: '',
  sig: '',
});

function make() {
  const sent: string[] = [];
  const note = (frame: string) => {
    const [type, , body] = JSON.parse(frame);
    sent.push(type === 'EVENT' ? String(body.created_at) : [type, ...(body ?? [])].join(' '));
  };
  const outbound = { open: true, send: note, pace: async (frame: string) => note(frame) };
  const subscription = new Subscription(
    's',
    [{ kinds: [1], tags: {} }],
    outbound as unknown as Outbound,
    () => {},
  );
  return { sent, subscription, deliver: (e: NostrEvent) => subscription.deliver(e, JSON.stringify(e)) };
}

describe('a subscription', () => {
  it('sends what is stored, EOSE, then what came meanwhile and what is new, each once', async () => {
    const { sent, subscription, deliver } = make();
    deliver(event(3));
    deliver(event(4));
    const answered = subscription.answer([event(4), event(2)].map(storedForm), true);
    deliver(event(5));
    await answered;
    subscription.deliverRemote(event(5));
    subscription.deliverRemote(event(6));
    subscription.deliverRemote(event(6));
    subscription.deliverRemote(event(7, 9)); // does not fit
    assert.deepEqual(sent, ['4', '2', 'EOSE finish', '3', '5', '6']);
  });

  it('keeps back a bounded number, the newest', async () => {
    const { sent, subscription, deliver } = make();
    for (let n = 1; n <= 1500; n++) deliver(event(n));
    await subscription.answer([], undefined);
    assert.equal(sent.length, 1001);
    assert.deepEqual(sent.slice(0, 2), ['EOSE', '501']);
  });

  it('says nothing more once it is closed', async () => {
    const { sent, subscription, deliver } = make();
    subscription.close();
    await subscription.answer([storedForm(event(1))], true);
    deliver(event(2));
    assert.deepEqual(sent, []);
  });
});
