import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fixtureTable } from '../../../../test/conformance/placement-fixture.ts';
import { newSigner } from '../../../../test/conformance/signer.ts';
import { openSqliteStore } from '../store/sqlite/open-sqlite-store.ts';
import { type ExternalAccount, readExternalAccounts } from './external-lists.ts';
import { mirrorPlan } from './mirror-plan.ts';

describe('what is mirrored', () => {
  const [a, b, c, d] = [newSigner(), newSigner(), newSigner(), newSigner()];
  const members = [
    { id: newSigner().pubkey, url: 'wss://one.example' },
    { id: newSigner().pubkey, url: 'wss://two.example' },
  ];
  const table = fixtureTable({
    members,
    groups: [
      { members: [0, 1], accounts: [a.pubkey, b.pubkey] },
      { members: [1, 0], accounts: [c.pubkey] },
    ],
  });
  const list = (who: typeof a, ...tags: string[][]) => who.sign({ kind: 10002, tags });
  const lists = [
    list(a, ['r', 'wss://x.example'], ['r', 'wss://y.example', 'read'], ['r', 'wss://10.0.0.1', 'write']),
    list(b, ['r', 'wss://x.example', 'write'], ['r', 'wss://z.example/'], ['r', 'nonsense']),
    list(c, ['r', 'wss://x.example']),
    list(d, ['r', 'wss://x.example']),
  ];
  const plan = (of = lists, accountsMax = 10, external: ExternalAccount[] = []) =>
    mirrorPlan(table, members[0]!.id, of, external, { accountsMax, allowPrivate: false });

  it('is what the table lists, is mastered here, and writes elsewhere in public', async () => {
    assert.deepEqual(
      [...(await plan()).byRelay],
      [
        ['wss://x.example', [a.pubkey, b.pubkey]],
        ['wss://z.example', [b.pubkey]],
      ],
    );
    assert.deepEqual(
      [...(await plan([list(a, ['r', 'wss://x.example'], ['r', 'wss://TWO.example/'])])).accounts],
      [],
    );
    assert.deepEqual([...(await plan([list(a, ['r', 'ws://localhost'])])).accounts], []);
  });

  it('is also what the coordinator knows, where no signed list is here', async () => {
    const hints = [a, b, c, d].map(({ pubkey }) => ({ pubkey, write: ['wss://hint.example'] }));
    assert.deepEqual(
      [...(await plan(lists.slice(0, 1), 10, hints)).byRelay],
      [
        ['wss://x.example', [a.pubkey]],
        ['wss://hint.example', [b.pubkey]],
      ],
    );
    assert.deepEqual([...(await plan([], 1, hints)).accounts], [a.pubkey]);
    const native = list(a, ['r', 'wss://one.example']);
    assert.deepEqual([...(await plan([native], 10, hints.slice(0, 1))).accounts], [], 'it chose the cluster');
    const inside = [
      { pubkey: a.pubkey, write: ['wss://one.example'] },
      { pubkey: b.pubkey, write: ['ws://127.0.0.1'] },
    ];
    assert.deepEqual([...(await plan([], 10, inside)).accounts], []);
  });

  it('reads of the api what is well-formed', () => {
    const answer = {
      accounts: [
        { pubkey: a.pubkey, write: ['WSS://X.example/', 'nonsense', 7] },
        { pubkey: 'short', write: ['wss://x.example'] },
        { pubkey: b.pubkey, write: [] },
        null,
        { pubkey: c.pubkey, write: ['wss://y.example'] },
      ],
    };
    assert.deepEqual(readExternalAccounts(answer, 4), [{ pubkey: a.pubkey, write: ['wss://x.example'] }]);
    assert.throws(() => readExternalAccounts([], 4), /no accounts/);
  });

  it('is bounded', async () => {
    assert.deepEqual([...(await plan(lists, 1)).accounts], [a.pubkey]);
    assert.equal(
      (await mirrorPlan(table, d.pubkey, lists, [], { accountsMax: 9, allowPrivate: false })).accounts.size,
      0,
    );
  });

  it('has dead relays asked less and less often, and keeps its place, over restarts', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'covey-mirror-'));
    const open = () => {
      const spool = { perMemberMax: 1, bytesMax: 1 };
      const store = openSqliteStore({ dir, spool, writesWaitingMax: 10, clock: () => 0 });
      return { store, state: store.mirror };
    };
    const first = open();
    const url = 'wss://x.example';
    const waits: number[] = [];
    for (let n = 0; n < 14; n++) {
      await first.state.failed(url, 1000);
      waits.push(first.state.retryAt(url) - 1000);
    }
    assert.deepEqual([...waits.slice(0, 3), waits.at(-1)], [60, 120, 240, 86_400]);
    await first.state.advance([a.pubkey, b.pubkey], url, { floor: 50, top: 99 }, 700);
    await first.state.advance([a.pubkey], url, { floor: 20 }, 0);
    await first.store.close();
    const second = open();
    assert.equal(second.state.retryAt(url), 87_400);
    assert.deepEqual(second.state.cursor(a.pubkey, url), { floor: 20, top: 99 });
    assert.equal(second.state.since(b.pubkey), 50);
    assert.equal(second.state.since(c.pubkey), undefined);
    assert.equal(second.state.bytes, 700);
    await second.state.forget([a.pubkey]);
    assert.equal(second.state.bytes, 0, 'its room is free again');
    assert.deepEqual([...second.state.accounts], [b.pubkey]);
    await second.state.reached(url);
    assert.equal(second.state.retryAt(url), 0);
    await second.store.close();
    rmSync(dir, { recursive: true, force: true });
  });
});
