import { readFileSync } from 'node:fs';
import { parsePubkey } from '@covey/nostr';
import type { Command } from 'commander';
import { alignColumns, apiUrl, askApi, CommandError, EXIT, runAsking } from '../api-client.ts';
import { wholeNumber } from '../graph-files.ts';

interface Plan {
  epoch: number;
  relays: { id: string; url: string; pubkeys: number[] }[];
  uncovered: number[];
  pubkeys?: string[];
}

interface PlanFlags {
  follows?: string;
  file?: string;
  maxRelays?: number;
  copies?: number;
  reader?: string;
  api?: string;
  json?: boolean;
}

const examples = `
Examples:
  covey plan npub1… npub1…
  covey plan --follows npub1…              for all that this account follows
  covey plan --file following.txt          one key a line, or a JSON list
  jq -r .pubkey events.jsonl | covey plan - --max-relays 5 --json

Exit codes: 0 done, 64 wrong usage, 65 keys that cannot be used, 69 no API there, 75 the cluster is not ready`;

/** `covey plan`: which relays to open to read a list of accounts. */
export function registerPlan(program: Command): void {
  program
    .command('plan')
    .description('which few relays to open to read these accounts')
    .argument('[keys...]', 'npubs, nprofiles or hex; - reads them from standard input')
    .option('--follows <key>', 'the accounts that this one follows, as the cluster knows them')
    .option('--file <file>', 'keys from a file: one a line, or a JSON list; - for standard input')
    .option('--max-relays <n>', 'open at most so many', wholeNumber(1, 65535))
    .option('--copies <n>', 'read each account from so many relays', wholeNumber(1, 255))
    .option('--reader <key>', 'who reads: readers of different keys spread over equal relays')
    .option(
      '--api <url>',
      'the API to ask (default: COVEY_API_URL, the cluster in COVEY_HOME, else port 4600 here)',
    )
    .option('--json', 'print the API’s answer; its numbers are places in the list of keys')
    .addHelpText('after', examples)
    .action((keys: string[], flags: PlanFlags) => runAsking(() => runPlan(keys, flags)));
}

async function runPlan(
  keys: string[],
  { follows, file, maxRelays, copies, reader, api, json }: PlanFlags,
): Promise<void> {
  const ways = [follows !== undefined, file !== undefined, keys.length > 0].filter(Boolean).length;
  if (ways !== 1)
    throw new CommandError(
      EXIT.usage,
      'give keys, or --follows KEY, or --file FILE (or - for standard input): one of the three',
    );
  const who =
    follows !== undefined
      ? { follows: parsePubkey(follows) }
      : {
          pubkeys:
            file !== undefined || (keys.length === 1 && keys[0] === '-')
              ? readKeys(file ?? '-')
              : keys.map((key) => parsePubkey(key)),
        };
  const bounds = {
    ...(maxRelays && { maxRelays }),
    ...(copies && { copies }),
    ...(reader !== undefined && { reader: parsePubkey(reader) }),
  };
  const plan = await askApi<Plan>(apiUrl(api, process.env), '/v1/plans', { ...who, ...bounds });
  console.log(
    json ? JSON.stringify(plan, null, 2) : describe(plan, plan.pubkeys?.length ?? who.pubkeys?.length ?? 0),
  );
}

/** @throws CommandError naming the line that is no key. */
function readKeys(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    throw new CommandError(EXIT.data, `${path} can't be read: ${(cause as Error).message}`, { cause });
  }
  const name = path === '-' ? 'standard input' : path;
  const entries: unknown[] = text.trimStart().startsWith('[') ? parseList(name, text) : text.split('\n');
  return entries.flatMap((entry, i) => {
    const key = String(entry).trim();
    if (key === '' || key.startsWith('#')) return [];
    try {
      return [parsePubkey(key)];
    } catch (cause) {
      throw new CommandError(EXIT.data, `${name}, entry ${i + 1}: ${(cause as Error).message}`, { cause });
    }
  });
}

function parseList(name: string, text: string): unknown[] {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandError(
      EXIT.data,
      `${name} begins like a JSON list, but is none: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function describe({ epoch, relays, uncovered }: Plan, keys: number): string {
  const head = `${relays.length} relay${relays.length === 1 ? '' : 's'} for ${keys} account${keys === 1 ? '' : 's'} (epoch ${epoch})`;
  const rows = relays.map(({ url, pubkeys }) => [
    url,
    pubkeys.length,
    pubkeys.length === 1 ? 'account' : 'accounts',
  ]);
  if (uncovered.length > 0)
    rows.push(['not served as asked', uncovered.length, uncovered.length === 1 ? 'account' : 'accounts']);
  return [head, ...(rows.length > 0 ? [alignColumns(rows)] : [])].join('\n');
}
