import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashtagKey } from '@covey/nostr';
import { fixtureTable } from '../../../test/conformance/placement-fixture.ts';
import { DELIVERED_ACCOUNTS_MAX, DELIVERED_HASHTAGS_MAX, deliveryKeys, isDelivered } from './delivery.ts';
import { Enforcer, HOPS_MAX, type Origin } from './enforcer.ts';

const key = (name: string) => Buffer.from(name.padEnd(32, '.')).toString('hex');
const MEMBERS = [0, 1, 2, 3, 4, 5].map((i) => ({ id: key(`member ${i}`), url: `wss://m${i}.example` }));
const table = fixtureTable({
  members: MEMBERS,
  groups: [
    { members: [0, 1], accounts: [key('alice')] },
    { members: [2, 3], accounts: [key('bob')] },
  ],
  slotMembers: [4, 5],
});
const at = (i: number, filling?: (group: number) => boolean) =>
  new Enforcer(table, MEMBERS[i]!.id, 'forward', filling);
const client: Origin = { member: false, hops: 0, announced: false };
const member = (hops: number): Origin => ({ member: true, hops, announced: false });
const by = (name: string, kind = 1, tags: string[][] = []) => ({ pubkey: key(name), kind, tags });
const bob = ['p', key('bob')];

interface Case {
  it: string;
  at: number;
  event: { pubkey: string; kind: number; tags: string[][] };
  from?: Origin;
  /** `action [holders] reason`. */
  decision?: string;
  /** Members that it is delivered to besides. */
  deliveries?: number[];
}

/** What any enforcer must do with events that tag somebody. */
const CASES: Case[] = [
  {
    it: 'a mention goes to the members of the one mentioned',
    at: 0,
    event: by('alice', 1, [bob]),
    deliveries: [2, 3],
  },
  {
    it: 'whoever took it',
    at: 4,
    event: by('alice', 1, [bob]),
    decision: 'forward [0,1] elsewhere',
    deliveries: [2, 3],
  },
  {
    it: 'a member of the one mentioned keeps it',
    at: 2,
    event: by('alice', 1, [bob]),
    decision: 'accept [0,1] delivered',
    deliveries: [3],
  },
  {
    it: 'also from a member, and copies it to nobody',
    at: 3,
    event: by('alice', 1, [bob]),
    from: member(1),
    decision: 'accept [] delivered',
  },
  {
    it: 'an account at the same members needs no delivery',
    at: 0,
    event: by('alice', 1, [['p', key('alice')]]),
    deliveries: [],
  },
  {
    it: 'the author that an e tag names is told',
    at: 0,
    event: by('alice', 1, [['e', key('note'), '', 'reply', key('bob')]]),
    deliveries: [2, 3],
  },
  {
    it: 'and the one of a quote',
    at: 0,
    event: by('alice', 1, [['q', key('note'), '', key('bob')]]),
    deliveries: [2, 3],
  },
  {
    it: 'a hashtag lives in its slot, in any case of letters',
    at: 0,
    event: by('alice', 1, [['t', 'Nostr']]),
    deliveries: [4, 5],
  },
  {
    it: 'a member of the slot keeps it',
    at: 4,
    event: by('alice', 1, [['t', 'nostr']]),
    from: member(1),
    decision: 'accept [] delivered',
  },
  { it: 'a follow list speaks to nobody', at: 0, event: by('alice', 3, [bob]), deliveries: [] },
  { it: 'nor does a set', at: 0, event: by('alice', 30000, [bob]), deliveries: [] },
  {
    it: 'a gift wrap is with whom it is for already',
    at: 4,
    event: by('x', 1059, [bob]),
    decision: 'forward [2,3] elsewhere',
    deliveries: [],
  },
  {
    it: 'a protected event is delivered to nobody',
    at: 0,
    event: by('alice', 1, [bob, ['-']]),
    deliveries: [],
  },
  { it: 'a request to vanish goes to everyone', at: 0, event: by('alice', 62), deliveries: [2, 3, 4, 5] },
  {
    it: 'and is kept where it may go no further',
    at: 3,
    event: by('alice', 62),
    from: member(HOPS_MAX),
    decision: 'accept [] delivered',
  },
  {
    it: 'so is a deletion',
    at: 3,
    event: by('alice', 5),
    from: member(HOPS_MAX),
    decision: 'accept [] delivered',
  },
  {
    it: 'which otherwise goes on to who holds its author',
    at: 3,
    event: by('alice', 5),
    from: member(1),
    decision: 'forward [0,1] elsewhere',
  },
];

describe('deliveries', () => {
  for (const c of CASES)
    it(c.it, () => {
      const enforcer = at(c.at);
      const d = enforcer.decide(c.event, c.from ?? client);
      if (c.decision) assert.equal(`${d.action} [${d.holders}] ${d.reason}`, c.decision);
      if (c.deliveries) assert.deepEqual(enforcer.deliveries(c.event).members, c.deliveries);
    });

  it('are bounded, and say what is over the bound', () => {
    const tags = [
      ...Array.from({ length: 30 }, (_, i) => ['p', key(`account ${i}`)]),
      ...Array.from({ length: 10 }, (_, i) => ['t', `tag${i}`]),
    ];
    const { accounts, hashtags, excess } = deliveryKeys(by('alice', 1, tags));
    assert.equal(accounts.length, DELIVERED_ACCOUNTS_MAX);
    assert.equal(hashtags.length, DELIVERED_HASHTAGS_MAX);
    assert.equal(excess, 12);
    assert.equal(at(0).deliveries(by('alice', 1, tags)).excess, 12);
  });

  it('keep what is here for somebody', () => {
    assert.equal(at(2).keeps(by('alice', 1, [bob])), true);
    assert.equal(at(2).keeps(by('alice', 1)), false);
    assert.deepEqual(at(2).placesOf(by('alice', 1, [bob])), [0, 1, 3]);
  });

  it('are repaired between those that share an event', () => {
    assert.equal(at(0).shares(by('alice'), 1), true);
    assert.equal(at(0).shares(by('alice'), 2), false);
    assert.equal(at(2).shares(by('alice', 1, [bob]), 3), true);
    assert.equal(at(0).shares(by('alice', 1, [bob]), 2), true);
    assert.equal(at(0).shares(by('alice', 1, [['-']]), 1), false);
    assert.equal(at(2).shares(by('alice'), 3), false);
  });
});

describe('filters of what is delivered', () => {
  it('are answered by the members of the account', () => {
    const { asks, open } = at(0).route({ kinds: [1, 7], tags: { p: [key('bob')] } });
    assert.deepEqual(asks, [{ candidates: [2, 3], by: 'p', keys: [key('bob')] }]);
    assert.equal(open, false);
    assert.equal(at(0).route({ kinds: [3], tags: { p: [key('bob')] } }).open, true);
    assert.equal(at(0).route({ tags: { p: [key('bob')] } }).open, true);
  });
  it('are answered by the slot of the hashtag', () => {
    const filter = { kinds: [1], tags: { t: ['Nostr', 'nostr'] } };
    assert.deepEqual(at(0).route(filter), {
      asks: [{ candidates: [4, 5], by: 't', keys: ['Nostr', 'nostr'] }],
      open: false,
    });
    assert.deepEqual(at(4).route(filter), { asks: [], open: false });
    assert.equal(table.groupOf(hashtagKey('nostr')) < 4096, true);
  });
  it('go to the others as well while a group is being filled', () => {
    const filter = { authors: [key('alice'), key('bob')], tags: {} };
    const group = at(0).groupOf(key('alice'));
    assert.deepEqual(
      at(0, (g) => g === group)
        .route(filter)
        .asks.map(({ candidates }) => candidates),
      [[1], [2, 3]],
    );
  });
});

it('lists are not delivered, what speaks to somebody is', () => {
  assert.deepEqual(
    [0, 1, 3, 4, 5, 6, 7, 1059, 1984, 9735, 10000, 30003, 30023].filter(isDelivered),
    [1, 4, 6, 7, 1984, 30023],
  );
});

describe('speed', () => {
  it('decisions with their deliveries', { timeout: 20_000 }, () => {
    const enforcer = at(0);
    const event = by('alice', 1, [bob, ['t', 'nostr']]);
    let best = 0;
    for (let round = 0; round < 8; round++) {
      const start = process.threadCpuUsage(); // not the clock: others may be busy on this machine
      for (let i = 0; i < 100_000; i++) {
        enforcer.decide(event, client);
        enforcer.deliveries(event);
      }
      best = Math.max(best, 100_000 / (process.threadCpuUsage(start).user / 1e6));
    }
    console.log(`${Math.round(best / 1000)} thousand decisions with deliveries a second`);
    assert.ok(best > 200_000, `${best}`);
  });
});
