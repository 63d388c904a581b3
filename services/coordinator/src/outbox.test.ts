import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { NostrEvent } from '@covey/nostr';
import type { OutboxItem } from './epochs/epoch-store.ts';
import { Outbox } from './outbox.ts';

it('publishes an epoch that is committed while the last signatures are on their way', async () => {
  const item = (epoch: number) => ({ epoch, snapshot: new Uint8Array(), delta: undefined }) as OutboxItem;
  const waiting = [item(1)];
  const published: number[] = [];
  let signatures: NostrEvent[] = [];
  const outbox = new Outbox({
    store: {
      next: async () => waiting[0],
      remove: async () => {
        waiting.shift();
        signatures = [{} as NostrEvent]; // One comes after its epoch was published.
      },
      republishLast: async () => {},
      cosignatures: async () => signatures,
      revocations: async () => [],
    },
    publishing: {
      onConnect: () => () => {},
      publisher: () => ({
        prepare: async () => {},
        publish: async ({ epoch }) => void published.push(epoch),
        publishRevocations: async () => {},
        publishCosignatures: async (epoch) => {
          if (epoch > 1) return;
          waiting.push(item(2));
          outbox.wake();
        },
      }),
    },
    leads: () => true,
    onPublished: () => {},
    log: { info: () => {}, warn: ({ error }: { error?: string }) => assert.fail(error) },
  });
  outbox.wake();
  await new Promise(setImmediate);
  await outbox.stop();
  assert.deepEqual(published, [1, 2]);
});
