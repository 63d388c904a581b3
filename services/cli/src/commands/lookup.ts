import { npubEncode, parsePubkey } from '@covey/nostr';
import type { Command } from 'commander';
import { alignColumns, apiUrl, askApi, runAsking } from '../api-client.ts';

interface Relay {
  id: string;
  url: string;
}

interface Placement {
  pubkey: string;
  epoch: number;
  source: 'table' | 'slot' | 'pin';
  group: number;
  hub: boolean;
  master: Relay;
  replicas: Relay[];
  readCopies: Relay[];
  move?: { phase: string };
}

const examples = `
Examples:
  covey lookup npub1…
  covey lookup 82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2 --json

Exit codes: 0 found, 64 wrong usage, 65 not a public key, 69 no API there, 75 the cluster has no table yet`;

/** `covey lookup`: where an account lives. */
export function registerLookup(program: Command): void {
  program
    .command('lookup')
    .description('where an account lives')
    .argument('<key>', 'npub, nprofile or 64 hex digits')
    .option(
      '--api <url>',
      'the API to ask (default: COVEY_API_URL, the cluster in COVEY_HOME, else port 4600 here)',
    )
    .option('--json', 'print the API’s answer')
    .addHelpText('after', examples)
    .action((key: string, flags: { api?: string; json?: boolean }) =>
      runAsking(async () => {
        const pubkey = parsePubkey(key);
        const placement = await askApi<Placement>(apiUrl(flags.api, process.env), `/v1/placements/${pubkey}`);
        console.log(flags.json ? JSON.stringify(placement, null, 2) : describe(placement));
      }),
    );
}

function describe({
  pubkey,
  epoch,
  source,
  group,
  hub,
  master,
  replicas,
  readCopies,
  move,
}: Placement): string {
  const why = {
    table: `group ${group} of the table${hub ? ', a hub' : ''}`,
    pin: `group ${group}, pinned by its own relay list`,
    slot: `slot ${group}, by hash of its key: no list names it`,
  }[source];
  const relay =
    (role: string) =>
    ({ id, url }: Relay) => [role, url, npubEncode(id)];
  return alignColumns([
    ['account', npubEncode(pubkey)],
    ['', pubkey],
    ['why', `${why} (epoch ${epoch}${move ? `, moving: ${move.phase}` : ''})`],
  ]).concat(
    '\n',
    alignColumns([
      relay('master')(master),
      ...replicas.map(relay('replica')),
      ...readCopies.map(relay('read copy')),
    ]),
  );
}
