import type { Command } from 'commander';
import { alignColumns, apiUrl, askApi, CommandError, EXIT, runAsking } from '../api-client.ts';

interface Status {
  ready: boolean;
  cluster: string;
  epoch: number;
  createdAt: string | null;
  accounts: number;
  follows: number;
  communities: number;
  groups: number;
  moved: number;
  moves: number;
  movesByPhase: Record<string, number>;
  nats: string;
  admin: boolean;
  members: {
    id: string;
    url: string;
    name: string;
    placement: string;
    state: string;
    standing: string | null;
    appliedEpoch: number | null;
    refused: { epoch: number; reason: string } | null;
    masters: number;
    replicas: number;
    readCopies: number;
    filling: number | null;
    load: { connections: number; events: number; spooled: number } | null;
  }[];
}

const examples = `
Examples:
  covey status
  covey status --json | jq -r '.members[] | select(.state != "up") | .url'

Exit codes: 0 ready, 64 wrong usage, 69 no API there, 75 the cluster has no table yet`;

/** `covey status`: the cluster at a glance. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('epoch, counts and members of the cluster')
    .option(
      '--api <url>',
      'the API to ask (default: COVEY_API_URL, the cluster in COVEY_HOME, else port 4600 here)',
    )
    .option('--json', 'print the API’s answer')
    .addHelpText('after', examples)
    .action((flags: { api?: string; json?: boolean }) =>
      runAsking(async () => {
        const base = apiUrl(flags.api, process.env);
        const status = await askApi<Status>(base, '/v1/status');
        const trust = flags.json ? undefined : await trustOf(base, status);
        console.log(flags.json ? JSON.stringify(status, null, 2) : describe(status, trust));
        if (!status.ready) process.exitCode = EXIT.notReady;
      }),
    );
}

interface Trust {
  basis: string;
  seeds: number;
  readers: number;
}

/** Who counts in the placement; only admins are told, and only where a report is at hand. */
async function trustOf(base: string, status: Status): Promise<string | undefined> {
  if (!status.admin || !status.ready) return undefined;
  try {
    const { trust } = await askApi<{ trust: Trust | null }>(base, '/v1/admin/epoch');
    if (!trust) return undefined;
    if (trust.basis === 'equal') return 'no seeds (COVEY_TRUST_SEEDS): every account counts alike';
    return `from ${trust.seeds} seeds, ${trust.readers.toLocaleString('en')} readers`;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** Moves under way by phase, and who fills. */
function describeMoves({ movesByPhase, members }: Status): string {
  const phases = Object.entries(movesByPhase).flatMap(([phase, groups]) =>
    groups > 0 ? [`${groups} ${phase.replaceAll('-', ' ')}`] : [],
  );
  const filling = members.flatMap(({ name, filling }) => (filling ? [`${name} fills ${filling}`] : []));
  return [...phases, ...filling].join(', ');
}

function describe(status: Status, trust: string | undefined): string {
  if (!status.ready)
    return `cluster ${status.cluster}: no placement table yet (NATS: ${status.nats}). The coordinator publishes one after its first epoch; try again in a few seconds.`;
  const count = (n: number) => n.toLocaleString('en');
  const head = alignColumns([
    ['cluster', status.cluster],
    ['epoch', `${status.epoch}, ${status.createdAt}, moved ${count(status.moved)} accounts`],
    [
      'graph',
      `${count(status.accounts)} accounts, ${count(status.follows)} follows, ${count(status.communities)} communities`,
    ],
    [
      'table',
      `${count(status.groups)} groups${status.moves > 0 ? `, ${count(status.moves)} on their way` : ''}`,
    ],
    ...(trust === undefined ? [] : [['trust', trust]]),
    ...(status.moves > 0 ? [['moves', describeMoves(status)]] : []),
    ...(status.nats === 'connected' ? [] : [['NATS', `${status.nats}: states of members are not known`]]),
  ]);
  const members = alignColumns([
    ['member', 'state', 'epoch', 'masters', 'replicas', 'read copies', 'connections', 'events', 'url'],
    ...[...status.members]
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
      .map(({ name, state, standing, placement, appliedEpoch, masters, replicas, readCopies, load, url }) => [
        name,
        // What the others' probes say, where it is not what is heard of it here.
        [state, standing === 'alive' ? null : standing, placement === 'draining' ? placement : null]
          .filter((part) => part !== null)
          .join(', '),
        appliedEpoch ?? '-',
        masters,
        replicas,
        readCopies,
        load?.connections ?? '-',
        load?.events ?? '-',
        url,
      ]),
  ]);
  const refusals = status.members.flatMap(({ name, refused }) =>
    refused ? [`${name} refused epoch ${refused.epoch}: ${refused.reason}`] : [],
  );
  return [head, '', members, ...(refusals.length > 0 ? ['', ...refusals] : [])].join('\n');
}
