import { matchesFilter, type NostrEvent, parseFilter, parsePubkey, verifyEvent } from '@covey/nostr';
import type { Command } from 'commander';
import { apiUrl, askApi, CommandError, EXIT, runAsking } from '../api-client.ts';
import { RelayUnreachableError, readFrom } from '../relay-client.ts';

interface ReadFlags {
  relay?: string;
  limit: string;
  api?: string;
  json?: boolean;
}

interface Relay {
  id: string;
  url: string;
}

const LIMIT_MAX = 500;

const examples = `
Asks the account's master, then its replicas when that one does not answer. Events are verified.

Examples:
  covey read npub1…
  covey read npub1… --limit 5 --json
  covey read npub1… --relay ws://127.0.0.1:4603

Exit codes: 0 answered, 64 wrong usage, 65 not a public key, 69 no API or relay there, 75 the cluster has no table yet`;

/** `covey read`: the newest notes of an account, from its own relays. */
export function registerRead(program: Command): void {
  program
    .command('read')
    .description('read the newest notes of an account from its own relays')
    .argument('<key>', 'npub, nprofile or 64 hex digits')
    .option('--relay <url>', 'ask this relay instead')
    .option('--limit <n>', 'how many notes', '20')
    .option('--api <url>', 'the API to ask for the account’s relays')
    .option('--json', 'print one event a line')
    .addHelpText('after', examples)
    .action((key: string, flags: ReadFlags) =>
      runAsking(async () => {
        const limit = Number(flags.limit);
        if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX)
          throw new CommandError(EXIT.usage, `--limit is a whole number from 1 to ${LIMIT_MAX}`);
        const pubkey = parsePubkey(key);
        const urls = flags.relay ? [flags.relay] : await relaysOf(apiUrl(flags.api, process.env), pubkey);
        const filter = { authors: [pubkey], kinds: [1], limit };
        const { url, events, complete, message } = await readFirst(urls, filter);
        const good = events.filter((event) => isGood(event, filter));
        if (flags.json) for (const event of good) console.log(JSON.stringify(event));
        else
          for (const event of good)
            console.log(`${new Date(event.created_at * 1000).toISOString()}  ${event.content}`);
        if (!flags.json && good.length === 0) console.log(`${url} has no notes of this account`);
        if (good.length < events.length)
          console.error(`covey: ${events.length - good.length} events were not valid`);
        if (!complete)
          console.error(`covey: ${url} says that there may be more${message ? `: ${message}` : ''}`);
      }),
    );
}

async function relaysOf(api: string, pubkey: string): Promise<string[]> {
  const placement = await askApi<{ master: Relay; replicas: Relay[] }>(api, `/v1/placements/${pubkey}`);
  return [placement.master, ...placement.replicas].map(({ url }) => url);
}

async function readFirst(urls: readonly string[], filter: Record<string, unknown>) {
  let last: RelayUnreachableError | undefined;
  for (const url of urls) {
    try {
      return { url, ...(await readFrom(url, filter)) };
    } catch (error) {
      if (!(error instanceof RelayUnreachableError)) throw error;
      console.error(`covey: ${error.message}`);
      last = error;
    }
  }
  throw new CommandError(EXIT.unreachable, 'none of the account’s relays answers', { cause: last });
}

function isGood(event: NostrEvent, filter: Record<string, unknown>): boolean {
  try {
    return matchesFilter(parseFilter(filter, { valuesMax: 100 }), event) && verifyEvent(event) === 'valid';
  } catch {
    return false;
  }
}
