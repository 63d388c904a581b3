import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AccountOrigins, OriginsReading } from '../../services/api/src/account-origins.ts';
import { MemberStates } from '../../services/api/src/member-states.ts';
import { ApiServer } from '../../services/api/src/server.ts';
import { clusterFixture, MemoryTableSource } from '../../services/api/src/testing/cluster-fixture.ts';

/**
 * The api against a bare node:http handler that answers bytes of the same size: look-ups, and plans for 1,000 keys. The
 * servers run here, the load comes from a child process over keep-alive connections; rounds alternate between the two so
 * that a neighbour's noise meets both.
 */

const LOAD = fileURLToPath(new URL('api-load.ts', import.meta.url));

export interface LoadOrder {
  port: number;
  connections: number;
  ms: number;
  /** Whole requests as they go over the wire, sent in turn. */
  requests: string[];
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      ms: { type: 'string', default: '2000' },
      accounts: { type: 'string', default: '400000' },
      members: { type: 'string', default: '8' },
    },
  });
  const rounds = Number(values.rounds);
  const ms = Number(values.ms);
  const fixture = clusterFixture({
    accounts: Number(values.accounts),
    groupAccounts: 200,
    members: Number(values.members),
  });
  // Half of the accounts write elsewhere, each to three of 1,000 relays.
  const origins = new AccountOrigins(Date.now);
  const reading = new OriginsReading(['wss://member.example']);
  for (let i = 0; i < fixture.pubkeys.length; i += 2) {
    const write = [1, 7, 49].map((step) => `wss://relay-${(i * step) % 1000}.example`);
    reading.add({ pubkey: Buffer.from(fixture.pubkeys[i]!, 'hex'), write });
  }
  origins.replace(reading);
  const api = new ApiServer({
    cluster: 'local',
    source: new MemoryTableSource(fixture),
    states: new MemberStates(Date.now),
    origins,
    natsConfigured: false,
    admin: false,
    dashboardDir: '/nonexistent',
    log: { error: console.error, info() {}, warn() {} },
  });
  const apiPort = Number(new URL(await api.listen({ host: '127.0.0.1', port: 0 })).port);

  const keys = Array.from({ length: 1000 }, (_, i) => fixture.pubkeys[(i * 7919) % fixture.pubkeys.length]!);
  const sample = await (await fetch(`http://127.0.0.1:${apiPort}/v1/placements/${keys[0]}`)).text();
  const body = Buffer.from(sample);
  const bare = createServer((_request, response) => {
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': body.length,
    });
    response.end(body);
  });
  bare.listen(0, '127.0.0.1');
  await once(bare, 'listening');
  const barePort = (bare.address() as { port: number }).port;

  const child = fork(LOAD, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const lookups = keys.map((key) => `GET /v1/placements/${key} HTTP/1.1\r\nhost: bench\r\n\r\n`);
  const plans = [0, 1, 2, 3].map((shift) => {
    const pubkeys = Array.from(
      { length: 1000 },
      (_, i) => fixture.pubkeys[(i * 389 + shift * 13) % fixture.pubkeys.length],
    );
    const json = JSON.stringify({ pubkeys });
    return `POST /v1/plans HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`;
  });
  const bareRates: number[] = [];
  const lookupRates: number[] = [];
  for (let round = 0; round < rounds + 1; round++) {
    const order = { connections: 32, ms: round === 0 ? 500 : ms, requests: lookups };
    const bareRate = await load(child, { ...order, port: barePort });
    const lookupRate = await load(child, { ...order, port: apiPort });
    if (round === 0) continue; // warming up
    bareRates.push(bareRate);
    lookupRates.push(lookupRate);
  }
  await load(child, { port: apiPort, connections: 8, ms: 500, requests: plans });
  const planRates: number[] = [];
  for (let round = 0; round < rounds; round++)
    planRates.push(await load(child, { port: apiPort, connections: 8, ms, requests: plans }));
  child.kill();
  bare.close();
  await api.close();
  console.log(
    JSON.stringify(
      {
        accounts: fixture.table.accounts,
        members: fixture.table.members.length,
        rounds,
        bareLookupsPerSecond: Math.round(median(bareRates)),
        lookupsPerSecond: Math.round(median(lookupRates)),
        lookupRatio: round3(median(bareRates.map((rate, i) => lookupRates[i]! / rate))),
        plansOf1000PerSecond: Math.round(median(planRates)),
      },
      null,
      2,
    ),
  );
}

async function load(child: ChildProcess, order: LoadOrder): Promise<number> {
  child.send(order);
  const [answer] = (await once(child, 'message')) as [{ perSecond?: number; error?: string }];
  if (answer.perSecond === undefined) throw new Error(`the load failed: ${answer.error}`);
  return answer.perSecond;
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const round3 = (value: number): number => Math.round(value * 1000) / 1000;

if (import.meta.main) await run(process.argv.slice(2));
