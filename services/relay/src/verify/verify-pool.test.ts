import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NostrEvent, publicKeyOf, signEvent, verifyEvent } from '@covey/nostr';
import { findVerifiers } from '@covey/verifier';
import { VerifyBusyError, VerifyPool } from './verify-pool.ts';

const SECRET = '01'.repeat(32);
const pubkey = publicKeyOf(SECRET);
const signed = (content: string): NostrEvent =>
  signEvent({ pubkey, created_at: 1, kind: 1, tags: [['t', content]], content }, SECRET);
/** A worker that runs `code` instead of ours. */
const program = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(code)}`);

/** Good ones and one of each kind of forgery, with what must be said of them. */
function mixture(count: number): [NostrEvent, string][] {
  const other = signed('other');
  return Array.from({ length: count }, (_, i): [NostrEvent, string] => {
    const good = signed(`${i} é 🐦 \u2028`);
    switch (i % 7) {
      case 1:
        return [{ ...good, id: other.id }, 'wrong id'];
      case 2:
        return [{ ...good, content: `${good.content}.` }, 'wrong id'];
      case 3:
        return [{ ...good, sig: other.sig }, 'wrong signature'];
      case 4: {
        // Its own id, but a key that is no point.
        const { id: _, sig, ...rest } = good;
        const forged = signEvent({ ...rest, pubkey: 'f'.repeat(64) }, SECRET);
        return [{ ...forged, sig }, 'wrong signature'];
      }
      case 5:
        return [{ ...good, sig: 'f'.repeat(128) }, 'wrong signature'];
      default:
        return [good, 'valid'];
    }
  });
}

const here = findVerifiers().flatMap(({ name, verifier }) => (verifier ? [name] : []));
for (const [threads, wanted] of [0, 1, 3].flatMap((n) => here.map((name) => [n, name] as const)))
  test(`${threads} threads with ${wanted} give every event its verdict, in the order handed in`, async () => {
    const pool = new VerifyPool({ threads, waitingMax: 1000, verifier: { wanted } });
    assert.equal(pool.verifierName, wanted);
    const order: number[] = [];
    const events = mixture(300);
    const verdicts = await Promise.all(
      events.map(async ([event], i) => {
        const verdict = await pool.verify(event);
        order.push(i);
        return verdict;
      }),
    );
    assert.deepEqual(
      verdicts,
      events.map(([, verdict]) => verdict),
    );
    for (const [event, verdict] of events) assert.equal(verifyEvent(event), verdict);
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
    assert.equal(pool.waiting, 0);
    await pool.close();
  });

test('workers that die, or answer short, change no verdict and lose no event', async () => {
  for (const code of [
    "import {parentPort} from 'node:worker_threads'; parentPort.on('message', () => process.exit(3));",
    "import {parentPort} from 'node:worker_threads'; parentPort.on('message', () => { throw new Error('dead'); });",
    "throw new Error('stillborn');",
    "import {parentPort} from 'node:worker_threads'; parentPort.on('message', () => parentPort.postMessage(new Uint8Array(0)));",
  ]) {
    let deaths = 0;
    const pool = new VerifyPool({
      threads: 2,
      waitingMax: 1000,
      program: program(code),
      onDeath: () => deaths++,
    });
    const events = mixture(140);
    const verdicts = await Promise.all(events.map(([event]) => pool.verify(event)));
    assert.deepEqual(
      verdicts,
      events.map(([, verdict]) => verdict),
    );
    assert.equal(deaths > 0, !code.includes('Uint8Array'), code);
    await pool.close();
  }
});

test('at its bound it says so; what it has in hand is answered when it closes', async () => {
  const silent = "import {parentPort} from 'node:worker_threads'; parentPort.on('message', () => {});";
  const pool = new VerifyPool({ threads: 1, waitingMax: 7, program: program(silent) });
  const events = mixture(7);
  const verdicts = events.map(([event]) => pool.verify(event));
  await assert.rejects(pool.verify(events[0]![0]), VerifyBusyError);
  await pool.close();
  assert.deepEqual(
    await Promise.all(verdicts),
    events.map(([, verdict]) => verdict),
  );
});
