import { parseArgs } from 'node:util';
import { type NostrEvent, publicKeyOf, serializeEvent, signEvent } from '@covey/nostr';
import { findVerifiers } from '@covey/verifier';
import { checkSignature } from '../../services/relay/src/verify/check-signature.ts';
import { VerifyPool } from '../../services/relay/src/verify/verify-pool.ts';

/**
 * Ids and signatures checked per second of CPU time: by each verifier of this machine called in a loop, and by a member's pool
 * of one thread with the same verifier, all that both threads do included. `share` is the pool's part of the loop's rate.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { events: { type: 'string', default: '20000' } } });
  const secret = '01'.repeat(32);
  const pubkey = publicKeyOf(secret);
  const events = Array.from(
    { length: Number(values.events) },
    (_, i): NostrEvent =>
      signEvent(
        {
          pubkey,
          created_at: i,
          kind: 1,
          tags: [
            ['e', 'a'.repeat(64)],
            ['p', pubkey],
          ],
          content: `note ${i} ${'birds '.repeat(20)}`,
        },
        secret,
      ),
  );
  const results: Record<string, object> = {};
  for (const { name, verifier, reason } of findVerifiers(process.env['COVEY_SECP256K1_LIBRARY'])) {
    if (!verifier) {
      results[name] = { absent: reason };
      continue;
    }
    const loop = () => {
      for (const event of events) {
        const { id, sig } = event;
        if (checkSignature({ text: serializeEvent(event), id, pubkey, sig }, verifier) !== 0)
          throw new Error(name);
      }
    };
    loop(); // warm
    const alone = await perCpuSecond(events.length, async () => loop());
    const pool = new VerifyPool({ threads: 1, waitingMax: events.length, verifier: { wanted: name } });
    const all = () => Promise.all(events.map((event) => pool.verify(event)));
    await all();
    const pooled = await perCpuSecond(events.length, all);
    await pool.close();
    results[name] = { alone, pooled, share: Math.round((100 * pooled) / alone) / 100 };
  }
  console.log(JSON.stringify(results, null, 2));
}

/** Of the whole process. */
async function perCpuSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return Math.round((count * 1e6) / (user + system));
}

if (import.meta.main) await run(process.argv.slice(2));
