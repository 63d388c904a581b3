import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseRedirect } from '@covey/protocol';
import {
  finalizeEvent,
  generateSecretKey,
  getPublicKey,
  type NostrEvent,
  verifyEvent,
} from 'nostr-tools/pure';
import { TestCluster, until } from './relay-fixture.ts';

export type ClientFilter = { kinds?: number[]; authors?: string[]; since?: number; '#t'?: string[] };
type Event = Pick<NostrEvent, 'id' | 'pubkey' | 'kind' | 'content' | 'created_at' | 'tags' | 'sig'>;

/** What a client library is put to: each method is the library's own way to do it, with nothing of Covey in it. */
export interface ClientLibrary {
  /** The relay's answer as the library tells it: whether it took the event, and the text if the library shows it. */
  publish(url: string, event: NostrEvent): Promise<{ accepted: boolean; text: string }>;
  /** Everything stored, up to EOSE or CLOSED. */
  read(url: string, filter: ClientFilter): Promise<Event[]>;
  /** @returns once the subscription was sent; `end` unsubscribes */
  subscribe(urls: readonly string[], filter: ClientFilter, onEvent: (event: Event) => void): () => void;
  close(): void | Promise<void>;
}

/**
 * A client library that knows nothing of placement, at a cluster of four members of which two hold its account: it is
 * served wherever it connects, and nothing that a member says beyond NIP-01 harms it.
 */
export function describeClientLibrary(
  name: string,
  open: () => ClientLibrary | Promise<ClientLibrary>,
  { tellsWhyRefused = true }: { tellsWhyRefused?: boolean } = {},
): void {
  const now = () => Math.floor(Date.now() / 1000);

  describe(`${name}, which knows nothing of placement`, { timeout: 60_000 }, () => {
    const secret = generateSecretKey();
    const pubkey = getPublicKey(secret);
    const note = (content: string, fields: object = {}) =>
      finalizeEvent({ kind: 1, created_at: now(), tags: [], content, ...fields }, secret);
    let cluster: TestCluster;
    let library: ClientLibrary;
    const url = (member: number) => cluster.members[member]!.url;

    before(async () => {
      cluster = await TestCluster.make(4, { limits: { remoteReadMs: 700 }, slotMembers: [0, 1] });
      await cluster.startAll({ authKinds: [1059] });
      cluster.place([{ members: [0, 1], accounts: [pubkey] }]);
      library = await open();
    });
    after(async () => {
      await library?.close();
      await cluster?.stop();
    });

    it('writes to a member that does not hold its account, and reads it back from every member', async () => {
      const event = note('to the wrong one');
      assert.equal((await library.publish(url(3), event)).accepted, true);
      for (const member of [0, 1, 2, 3]) {
        const got = await until(`the note at ${member}`, async () =>
          (await library.read(url(member), { authors: [pubkey], kinds: [1] })).find(
            ({ id }) => id === event.id,
          ),
        );
        assert.ok(verifyEvent({ ...got } as NostrEvent));
      }
    });

    it('gets what is new, wherever it listens', async () => {
      const got: string[] = [];
      const filter = { authors: [pubkey], since: now() - 60 };
      const end = library.subscribe([url(2), url(3)], filter, (event) => got.push(event.content));
      await until('the stored note', () => got.includes('to the wrong one'));
      assert.equal((await library.publish(url(1), note('live'))).accepted, true);
      await until('the new note', () => got.includes('live'));
      end();
    });

    it('finds a hashtag at a member where nobody used it', async () => {
      const event = note('tagged', { tags: [['t', 'birds']] });
      assert.equal((await library.publish(url(2), event)).accepted, true);
      await until('the tagged note', async () =>
        (await library.read(url(3), { kinds: [1], '#t': ['birds'] })).some(({ id }) => id === event.id),
      );
    });

    it('is not harmed by CLOSED', async () => {
      const got: string[] = [];
      const end = library.subscribe([url(0)], { authors: [pubkey] }, (event) => got.push(event.content));
      await until('the stored notes', () => got.length > 0);
      const closed: string[] = [];
      const endPrivate = library.subscribe([url(0)], { kinds: [1059] }, (event) => closed.push(event.id));
      const tooMany = Array.from({ length: 5001 }, (_, n) => n.toString(16).padStart(64, '0'));
      const endTooMany = library.subscribe([url(0)], { authors: tooMany }, (event) => closed.push(event.id));
      await library.publish(url(0), note('after CLOSED'));
      await until('a new note on the same connection', () => got.includes('after CLOSED'));
      assert.deepEqual(closed, []);
      for (const stop of [end, endPrivate, endTooMany]) stop();
    });

    it('sees why a write is refused', async () => {
      const answer = await library.publish(url(0), note('from the future', { created_at: now() + 10_000 }));
      assert.equal(answer.accepted, false);
      if (tellsWhyRefused) assert.match(answer.text, /invalid: created_at|invalid: /);
    });

    it('comes to an end when no holder can be reached, and gets the rest when one is back', async () => {
      await cluster.members[0]!.stop();
      await cluster.members[1]!.stop();
      const got: string[] = [];
      const end = library.subscribe([url(3)], { authors: [pubkey], kinds: [1] }, (event) =>
        got.push(event.content),
      );
      // EOSE carries `more`, and NOTICE says why: neither ends the connection nor the library's read.
      await library.read(url(3), { authors: [pubkey], kinds: [0] });
      await cluster.members[1]!.start({ authKinds: [1059] });
      await until('what the holder has', () => got.includes('after CLOSED'));
      end();
    });
  });

  describe(`${name} at a member set to redirect`, { timeout: 30_000 }, () => {
    it('is told where its account lives', async () => {
      const secret = generateSecretKey();
      const cluster = await TestCluster.make(2);
      const library = await open();
      try {
        await cluster.startAll({ writes: 'redirect' });
        await cluster.well();
        cluster.place([{ members: [0], accounts: [getPublicKey(secret)] }]);
        const event = finalizeEvent({ kind: 1, created_at: now(), tags: [], content: '' }, secret);
        const answer = await library.publish(cluster.members[1]!.url, event);
        assert.equal(answer.accepted, false);
        if (!tellsWhyRefused) return;
        const text = answer.text.slice(answer.text.indexOf('redirect:'));
        assert.deepEqual(parseRedirect(text), [cluster.members[0]!.url]);
      } finally {
        await library.close();
        await cluster.stop();
      }
    });
  });
}
