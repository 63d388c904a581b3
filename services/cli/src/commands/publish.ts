import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { npubEncode, nsecEncode, parseSecretKey, publicKeyOf, signEvent } from '@covey/nostr';
import { parseRedirect } from '@covey/protocol';
import type { Command } from 'commander';
import { apiUrl, askApi, CommandError, EXIT, runAsking } from '../api-client.ts';
import { publishTo, RelayUnreachableError } from '../relay-client.ts';

interface PublishFlags {
  relay?: string;
  elsewhere?: boolean;
  keyFile?: string;
  api?: string;
  json?: boolean;
}

interface Relay {
  id: string;
  url: string;
}

const examples = `
Without --key-file a fresh key signs, and is printed with the answer. Without --relay the note goes to the account's
master; with --elsewhere to a member that does not hold the account, as a client of today might: the member forwards it.

Examples:
  covey publish "hello"
  covey publish "hello" --elsewhere
  covey publish "hello" --relay ws://127.0.0.1:4603 --key-file ./my.key --json

Exit codes: 0 accepted, 64 wrong usage, 65 refused by the relay, 69 no API or relay there, 75 the cluster has no table yet`;

/** `covey publish`: signs a note and publishes it to one relay. */
export function registerPublish(program: Command): void {
  program
    .command('publish')
    .description('sign a note and publish it')
    .argument('<text>', 'what the note says')
    .option('--relay <url>', 'the relay to publish to')
    .option('--elsewhere', 'publish to a member that does not hold the account')
    .option('--key-file <file>', 'file with the secret key (nsec or 64 hex digits)')
    .option('--api <url>', 'the API to ask for the account’s relays')
    .option('--json', 'print one JSON object')
    .addHelpText('after', examples)
    .action((text: string, flags: PublishFlags) =>
      runAsking(async () => {
        if (flags.relay && flags.elsewhere)
          throw new CommandError(
            EXIT.usage,
            '--relay names the relay; --elsewhere lets covey choose one: give one of them',
          );
        const secretKey = flags.keyFile ? readKey(flags.keyFile) : randomBytes(32).toString('hex');
        const pubkey = publicKeyOf(secretKey);
        const relay =
          flags.relay ??
          (await chooseRelay(apiUrl(flags.api, process.env), pubkey, flags.elsewhere ?? false));
        const createdAt = Math.floor(Date.now() / 1000);
        const event = signEvent(
          { pubkey, created_at: createdAt, kind: 1, tags: [], content: text },
          secretKey,
        );
        const { ok, message } = await publishOrFail(relay, event);
        if (flags.json)
          console.log(JSON.stringify({ ok, message, relay, id: event.id, pubkey, npub: npubEncode(pubkey) }));
        else print({ ok, message, relay, pubkey, secretKey: flags.keyFile ? undefined : secretKey });
        if (!ok) process.exitCode = EXIT.data;
      }),
    );
}

function readKey(path: string): string {
  try {
    return parseSecretKey(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new CommandError(EXIT.data, `${path} can't be used as a key file: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function publishOrFail(
  relay: string,
  event: Parameters<typeof publishTo>[1],
): ReturnType<typeof publishTo> {
  try {
    return await publishTo(relay, event);
  } catch (error) {
    if (error instanceof RelayUnreachableError)
      throw new CommandError(EXIT.unreachable, error.message, { cause: error });
    throw error;
  }
}

/** The account's master, or the first member that is up and holds no copy of it. */
async function chooseRelay(api: string, pubkey: string, elsewhere: boolean): Promise<string> {
  const placement = await askApi<{ master: Relay; replicas: Relay[]; readCopies: Relay[] }>(
    api,
    `/v1/placements/${pubkey}`,
  );
  if (!elsewhere) return placement.master.url;
  const { members } = await askApi<{ members: (Relay & { state: string })[] }>(api, '/v1/members');
  const holders = new Set(
    [placement.master, ...placement.replicas, ...placement.readCopies].map(({ id }) => id),
  );
  const others = members.filter(({ id }) => !holders.has(id));
  const other = others.find(({ state }) => state === 'up') ?? others[0];
  if (!other)
    throw new CommandError(
      EXIT.data,
      'every member holds this account: there is no elsewhere. Leave --elsewhere out.',
    );
  return other.url;
}

function print(result: {
  ok: boolean;
  message: string;
  relay: string;
  pubkey: string;
  secretKey: string | undefined;
}): void {
  const { ok, message, relay, pubkey, secretKey } = result;
  console.log(`${ok ? 'accepted' : 'refused'} by ${relay}${message ? `: ${message}` : ''}`);
  const redirect = ok ? undefined : parseRedirect(message);
  if (redirect) console.log(`publish it to ${redirect[0]} with --relay`);
  console.log(`author   ${npubEncode(pubkey)}`);
  if (secretKey) console.log(`its key  ${nsecEncode(secretKey)}   (fresh, kept nowhere)`);
  const home = process.env['COVEY_HOME'] ? `COVEY_HOME=${process.env['COVEY_HOME']} ` : '';
  if (ok) console.log(`read it  ${home}npx --no covey read ${npubEncode(pubkey)}`);
}
