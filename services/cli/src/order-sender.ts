import { hostname, userInfo } from 'node:os';
import { homeRoot, readRunState, readSecretKeyFile, SecretFileError } from '@covey/config';
import { type Jobs, PLACE_QUEUE } from '@covey/jobs';
import { InvalidKeyError, parsePubkey, publicKeyOf } from '@covey/nostr';
import {
  carryOut,
  ImpossibleOrderError,
  listMembers,
  MembershipError,
  type Sql,
  UnknownCoordinatorError,
} from '@covey/postgres';
import { type Order, signOrder } from '@covey/protocol';
import { CommandError, EXIT } from './api-client.ts';
import { withDatabase } from './cluster-database.ts';
import { findCluster, withJobs } from './cluster-jobs.ts';

const ANSWER_MS_MAX = 20_000;
const COORDINATOR_PORT = 4610;

/** How an order goes out. */
export interface OrderFlags {
  /** The key to sign with: an admin's, or the member's own. Absent: by the cluster's database. */
  keyFile?: string;
  /** Where a coordinator takes signed orders. */
  coordinator?: string;
  json?: boolean;
}

export const ORDER_HELP = `
Whoever can use the cluster's database (DATABASE_URL, or COVEY_HOME on this machine) needs no key. From elsewhere:
--key-file signs the order, --coordinator (or COVEY_COORDINATOR_URL) takes it. Each order stays in covey log.`;

/** Gives an order, signed or by the database, and prints what is so now. @throws CommandError */
export async function giveOrder(order: Order, flags: OrderFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const result =
    flags.keyFile || order.action === 'join'
      ? await sendSigned(order, flags, env)
      : await byDatabase(order, env);
  console.log(flags.json ? JSON.stringify(result) : result.text);
}

interface Result {
  ok: boolean;
  text: string;
  state?: string;
}

async function byDatabase(
  order: Exclude<Order, { action: 'join' }>,
  env: NodeJS.ProcessEnv,
): Promise<Result> {
  const link = findCluster(env);
  return await withDatabase(link, async (sql) => {
    const done = await attempt(async () => await carryOut(sql, order, { actor: await databaseActor(sql) }));
    if (done.place) await withJobs(link, (jobs: Jobs) => jobs.add(PLACE_QUEUE, done.place!));
    return { ok: true, text: done.text };
  });
}

async function databaseActor(sql: Sql): Promise<string> {
  const rows = await sql<{ name: string }[]>`select current_user as name`;
  let user = 'unknown';
  try {
    user = userInfo().username;
  } catch {
    // A container's bare number has no name.
  }
  return `database:${rows[0]!.name}, ${user}@${hostname()}`;
}

async function attempt<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const known =
      error instanceof MembershipError ||
      error instanceof ImpossibleOrderError ||
      error instanceof UnknownCoordinatorError;
    if (known) throw new CommandError(EXIT.data, error.message, { cause: error });
    throw error;
  }
}

async function sendSigned(order: Order, flags: OrderFlags, env: NodeJS.ProcessEnv): Promise<Result> {
  const secretKey = readKey(flags.keyFile);
  const base = coordinatorUrl(flags.coordinator, env);
  const { cluster, challenge } = await ask<{ cluster: string; challenge: string }>(base);
  const signer = { pubkey: publicKeyOf(secretKey), secretKey };
  const event = signOrder(order, { cluster, challenge, createdAt: Math.floor(Date.now() / 1000) }, signer);
  return await ask<Result>(base, event);
}

/** Hands a signed event (a revocation) to a coordinator, and prints what is so now. @throws CommandError */
export async function giveEvent(event: unknown, flags: OrderFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const result = await ask<Result>(coordinatorUrl(flags.coordinator, env), event);
  console.log(flags.json ? JSON.stringify(result) : result.text);
}

function readKey(file: string | undefined): string {
  if (!file) throw new CommandError(EXIT.usage, 'give the key to sign with: --key-file FILE');
  try {
    return readSecretKeyFile(file);
  } catch (error) {
    if (error instanceof SecretFileError) throw new CommandError(EXIT.data, error.message, { cause: error });
    throw error;
  }
}

export function coordinatorUrl(option: string | undefined, env: NodeJS.ProcessEnv): string {
  const port = readRunState(homeRoot(env))?.ports['coordinator'] ?? COORDINATOR_PORT;
  const url = option ?? (env['COVEY_COORDINATOR_URL'] || `http://127.0.0.1:${port}`);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new CommandError(
      EXIT.usage,
      `"${url}" is no address of a coordinator; give --coordinator https://host`,
    );
  return url.replace(/\/+$/, '');
}

async function ask<T>(base: string, body?: unknown): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${base}/v1/orders`, {
      ...(body === undefined
        ? {}
        : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    text = await response.text();
  } catch (cause) {
    throw new CommandError(
      EXIT.unreachable,
      `the coordinator at ${base} can't be reached; name one with --coordinator URL or COVEY_COORDINATOR_URL`,
      { cause },
    );
  }
  let answer: { text?: string } | undefined;
  try {
    answer = JSON.parse(text);
  } catch {
    // Something else answers there.
  }
  if (response.ok && answer) return answer as T;
  if (!answer?.text)
    throw new CommandError(
      EXIT.unreachable,
      `what answers at ${base} is no Covey coordinator (HTTP ${response.status})`,
    );
  const exit = response.status === 403 ? EXIT.forbidden : response.status >= 500 ? EXIT.notReady : EXIT.data;
  throw new CommandError(exit, answer.text);
}

/** A member by npub, hex, or (where the database is at hand) name, URL or the beginning of its key. @throws CommandError */
export async function memberId(text: string, flags: OrderFlags, env: NodeJS.ProcessEnv): Promise<string> {
  const wanted = text.trim();
  if (/^[0-9a-f]{64}$/.test(wanted)) return wanted;
  if (wanted.startsWith('npub1')) {
    try {
      return parsePubkey(wanted);
    } catch (error) {
      if (error instanceof InvalidKeyError) throw new CommandError(EXIT.data, error.message);
      throw error;
    }
  }
  if (flags.keyFile)
    throw new CommandError(EXIT.usage, `name the member by its npub or 64 hex digits, not "${wanted}"`);
  const members = await withDatabase(findCluster(env), listMembers);
  const found = members.filter(
    ({ id, name, url }) =>
      name.toLowerCase() === wanted.toLowerCase() ||
      url === wanted ||
      (wanted.length >= 6 && id.startsWith(wanted)),
  );
  if (found.length === 1) return found[0]!.id;
  throw new CommandError(
    EXIT.data,
    found.length === 0
      ? `no member is called "${wanted}"; covey members lists them`
      : `"${wanted}" may be ${found.map(({ id }) => id.slice(0, 16)).join(' or ')}; give more of the key`,
  );
}
