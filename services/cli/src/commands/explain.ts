import { parsePubkey } from '@covey/nostr';
import type { Command } from 'commander';
import { alignColumns, apiUrl, askApi, runAsking } from '../api-client.ts';

interface Named {
  id: string;
  name: string;
  url: string;
}

interface Explained {
  epoch: number;
  npub: string;
  source: string;
  group: number;
  why: string[];
  readersLookedAt: number;
  readers: number;
  holders: (Named & { role: string; readers: number; needed: number })[];
  open: (Named & { readers: number; holds: boolean })[];
  pins: (Named & { hard: boolean; reason: string })[];
  alternatives: {
    from: Named;
    to: Named;
    relays: number;
    fanout: number;
    connections: number;
    reads: number;
  }[];
}

const examples = `
Says which of its readers have its members open, what pins it, and what readers would pay if one copy stood elsewhere, by the
newest placement. Needs an API with COVEY_ADMIN=open, as "covey up" starts it.

Examples:
  covey explain npub1…
  covey explain 82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2 --json

Exit codes: 0 explained, 64 wrong usage, 65 not a public key, or no report yet, 69 no API there, 75 not ready, 77 admin is closed`;

/** `covey explain`: why an account lives where it does. */
export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('why an account lives where it does')
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
        const base = apiUrl(flags.api, process.env);
        const explained = await askApi<Explained>(base, `/v1/admin/accounts/${pubkey}`);
        console.log(flags.json ? JSON.stringify(explained, null, 2) : describe(explained));
      }),
    );
}

function describe({ npub, epoch, source, group, why, holders, open, alternatives }: Explained): string {
  const parts = [
    `${npub} (${source === 'slot' ? 'slot' : 'group'} ${group}, placement of epoch ${epoch})`,
    why.map((sentence) => `- ${sentence}`).join('\n'),
    alignColumns([
      ['holds it', 'its readers there', 'only there', 'url'],
      ...holders.map(({ role, name, readers, needed, url }) => [`${role} ${name}`, readers, needed, url]),
    ]),
  ];
  const others = open.filter(({ holds }) => !holds);
  if (others.length > 0)
    parts.push(
      alignColumns([
        ['its readers also open', 'readers'],
        ...others.map(({ name, readers }) => [name, readers]),
      ]),
    );
  if (alternatives.length > 0)
    parts.push(
      alignColumns([
        ['one copy elsewhere', 'relays more', 'fanout', 'its connections', 'its reads'],
        ...alternatives.map(({ from, to, relays, fanout, connections, reads }) => [
          `${from.name} → ${to.name}`,
          relays,
          fanout.toFixed(4),
          `${connections.toFixed(2)} of mean`,
          `${reads.toFixed(2)} of mean`,
        ]),
      ]),
    );
  return parts.join('\n\n');
}
