import { readFileSync } from 'node:fs';
import { npubEncode } from '@covey/nostr';
import { type LoggedEntry, listCoordinators, readControls, readLog, type Sql } from '@covey/postgres';
import type { Order } from '@covey/protocol';
import { compareTables, PlacementTable, type TableDifference } from '@covey/table';
import { type Command, InvalidArgumentError } from 'commander';
import { alignColumns, CommandError, EXIT, runAsking } from '../api-client.ts';
import { withDatabase } from '../cluster-database.ts';
import { findCluster } from '../cluster-jobs.ts';
import { giveEvent, giveOrder, ORDER_HELP, type OrderFlags } from '../order-sender.ts';

const EXIT_CODES = `
Exit codes: 0 done, 64 wrong usage, 65 not possible as things stand, 69 nothing there to ask, 75 try again, 77 not allowed`;

/** `covey pause`, `resume`, `rollback`, `promote`, `diff`, `log`: what an admin does to a running cluster. */
export function registerAuthority(program: Command): void {
  orderCommand(program, 'pause', 'make no new placement and start no move until resumed; service goes on')
    .option('--reason <text>', 'for the log and for other admins')
    .addHelpText('after', help('covey pause --reason "moving the database"'))
    .action((flags: OrderFlags & { reason?: string }) =>
      give({ action: 'pause', ...(flags.reason ? { reason: flags.reason } : {}) }, flags),
    );
  orderCommand(program, 'resume', 'end a pause')
    .addHelpText('after', help('covey resume'))
    .action((flags: OrderFlags) => give({ action: 'resume' }, flags));
  orderCommand(program, 'rollback <epoch>', 'make a new epoch with the content of an older one, and pause')
    .option('--reason <text>', 'for the log and for other admins')
    .addHelpText(
      'after',
      help(
        'covey rollback 41',
        '\nEpochs only rise, so members take it like any other. covey epochs list --kept shows which can come back.',
      ),
    )
    .action((epoch: string, flags: OrderFlags & { reason?: string }) =>
      give(
        { action: 'rollback', epoch: wholeEpoch(epoch), ...(flags.reason ? { reason: flags.reason } : {}) },
        flags,
      ),
    );
  orderCommand(program, 'promote [coordinator]', 'have another coordinator lead; without a name, list them')
    .addHelpText('after', help('covey promote coordinator-2'))
    .action((coordinator: string | undefined, flags: OrderFlags) =>
      coordinator === undefined
        ? runAsking(() => coordinators(flags))
        : give({ action: 'promote', coordinator }, flags),
    );
  program
    .command('revoke <file>')
    .description('make known that a coordinator’s key is void: covey keygen revocation')
    .option(
      '--coordinator <url>',
      'a coordinator of the cluster (default: COVEY_COORDINATOR_URL, else the local one)',
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nThe root has signed it: nobody else is asked. Members keep it for good.\n\nExample:\n  covey revoke revocation.json\n${EXIT_CODES}`,
    )
    .action((file: string, flags: OrderFlags) =>
      runAsking(() => giveEvent(readJsonFile(file), flags, process.env)),
    );
  program
    .command('diff <from> <to>')
    .description('what differs between two epochs')
    .option('--json', 'print one JSON object')
    .addHelpText('after', `\nExample:\n  covey diff 41 42\n${EXIT_CODES}`)
    .action((from: string, to: string, flags: { json?: boolean }) =>
      runAsking(() => diff(wholeEpoch(from), wholeEpoch(to), flags)),
    );
  program
    .command('log')
    .description('who did what to the cluster, newest first')
    .option('--limit <n>', 'how many entries', wholeEpoch, 50)
    .option('--before <id>', 'entries before this one', wholeEpoch)
    .option('--json', 'print a JSON list, with the signed orders')
    .addHelpText('after', `\nExample:\n  covey log --limit 10\n${EXIT_CODES}`)
    .action((flags: { limit: number; before?: number; json?: boolean }) => runAsking(() => log(flags)));
}

function orderCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--key-file <file>', 'sign the order with this key')
    .option('--coordinator <url>', 'send the signed order there')
    .option('--json', 'print one JSON object');
}

function help(example: string, more = ''): string {
  return `${more}${ORDER_HELP}\n\nExample:\n  ${example}\n${EXIT_CODES}`;
}

/** @throws CommandError */
function readJsonFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CommandError(EXIT.data, `${file} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

function give(order: Order, flags: OrderFlags): Promise<void> {
  return runAsking(() => giveOrder(order, flags, process.env));
}

function wholeEpoch(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError(`"${text}" is not a whole number from 1.`);
  return value;
}

function onDatabase<T>(action: (sql: Sql) => Promise<T>): Promise<T> {
  return withDatabase(findCluster(process.env), action);
}

async function coordinators({ json }: OrderFlags): Promise<void> {
  const { list, paused } = await onDatabase(async (sql) => ({
    list: await listCoordinators(sql),
    paused: (await readControls(sql)).paused,
  }));
  if (json) return void console.log(JSON.stringify({ coordinators: list, paused: paused ?? null }));
  console.log(
    alignColumns([
      ['coordinator', 'leads', 'seen', 'key'],
      ...list.map((c) => [c.name, c.leads ? 'yes' : '', c.seenAt.slice(0, 19), npubEncode(c.pubkey)]),
    ]),
  );
  if (paused)
    console.log(
      `\nplacement is paused since ${paused.at.slice(0, 19)}: ${paused.reason || 'no reason given'}`,
    );
}

async function diff(from: number, to: number, { json }: { json?: boolean }): Promise<void> {
  const difference = await onDatabase(async (sql) =>
    compareTables(await tableOf(sql, from), await tableOf(sql, to)),
  );
  console.log(json ? JSON.stringify({ from, to, ...difference }, null, 2) : describe(from, to, difference));
}

async function tableOf(sql: Sql, epoch: number): Promise<PlacementTable> {
  const rows = await sql<
    { table_bytes: Uint8Array | null }[]
  >`select table_bytes from epochs where epoch = ${epoch}`;
  if (!rows[0]) throw new CommandError(EXIT.data, `there is no epoch ${epoch}; covey epochs list shows them`);
  if (!rows[0].table_bytes)
    throw new CommandError(
      EXIT.data,
      `the table of epoch ${epoch} is no longer kept; covey epochs list --kept shows those that are`,
    );
  return new PlacementTable(new Uint8Array(rows[0].table_bytes));
}

function describe(
  from: number,
  to: number,
  { members, accounts, slots, copies, moves }: TableDifference,
): string {
  const count = (n: number) => n.toLocaleString('en');
  const names = (ids: string[]) => (ids.length === 0 ? 'none' : ids.map((id) => id.slice(0, 16)).join(', '));
  const head = alignColumns([
    ['epochs', `${from} → ${to}`],
    [
      'members',
      `joined ${names(members.joined)}; left ${names(members.left)}; changed ${names(members.changed)}`,
    ],
    [
      'accounts',
      `${count(accounts.moved)} on other members, ${count(accounts.newMaster)} with another master, ${count(accounts.listed)} newly listed, ${count(accounts.unlisted)} no longer, ${count(accounts.same)} as before`,
    ],
    ['slots', `${count(slots.moved)} on other members, ${count(slots.newMaster)} with another master`],
    ...(Object.keys(moves).length > 0
      ? [
          [
            'moves',
            Object.entries(moves)
              .map(([phase, n]) => `${phase} ${n}`)
              .join(', '),
          ],
        ]
      : []),
  ]);
  const rows = Object.entries(copies).map(([id, { gained, lost }]) => [id.slice(0, 16), gained, lost]);
  return rows.length === 0
    ? head
    : `${head}\n\n${alignColumns([['member', 'copies gained', 'lost'], ...rows])}`;
}

async function log({
  limit,
  before,
  json,
}: {
  limit: number;
  before?: number;
  json?: boolean;
}): Promise<void> {
  const entries = await onDatabase((sql) => readLog(sql, { limit: Math.min(limit, 1000), before }));
  if (json) return void console.log(JSON.stringify(entries, null, 2));
  console.log(alignColumns([['id', 'when', 'who', 'what', 'on', 'details'], ...entries.map(line)]));
}

function line({ id, at, actor, action, subject, detail }: LoggedEntry): (string | number)[] {
  const who = /^[0-9a-f]{64}$/.test(actor) ? npubEncode(actor).slice(0, 16) : actor;
  const details = Object.entries(detail ?? {})
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return [id, at.slice(0, 19), who, action, (subject ?? '').slice(0, 16), details.join(', ')];
}
