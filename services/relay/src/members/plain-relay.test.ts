import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlainRelay } from './plain-relay.ts';

test('a plain relay is asked no more than it allows', async () => {
  const relay = new PlainRelay({ supported_nips: [1, 77], limitation: { max_subscriptions: 4 } });
  assert.equal(relay.compares, true);
  const ends: (() => void)[] = [];
  let open = 0;
  let most = 0;
  const all = Array.from({ length: 5 }, (_, n) =>
    relay.fetch(async () => {
      most = Math.max(most, ++open);
      await new Promise<void>((resolve) => ends.push(resolve));
      open--;
      if (n === 1) throw new Error('broke');
      return n;
    }),
  );
  const settled = Promise.allSettled(all);
  while (ends.length < 5) {
    ends.at(-1)?.();
    await new Promise((resolve) => setImmediate(resolve));
    ends[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const end of ends) end();
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
  assert.equal(most, 2);
  const [first, second] = [relay.takeLive(), relay.takeLive()];
  assert.ok(first && second && !relay.takeLive());
  first();
  first();
  assert.ok(relay.takeLive());
  assert.equal(relay.takeLive(), undefined);
});

test('what its document does not say is taken as usual', () => {
  for (const information of [{}, { limitation: null }, { limitation: { max_subscriptions: 'many' } }]) {
    const relay = new PlainRelay(information);
    assert.equal(relay.compares, false);
    for (let n = 0; n < 10; n++) assert.ok(relay.takeLive());
    assert.equal(relay.takeLive(), undefined);
  }
});
