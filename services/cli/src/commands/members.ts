import { readSecretFile, readSecretKeyFile } from '@covey/config';
import { publicNkey } from '@covey/nats';
import { npubEncode, publicKeyOf } from '@covey/nostr';
import { listMembers, listProbes, type MemberRow, type Probe } from '@covey/postgres';
import type { Capacity, MemberOrder } from '@covey/protocol';
import { type Command, InvalidArgumentError } from 'commander';
import { alignColumns, CommandError, EXIT, runAsking } from '../api-client.ts';
import { withDatabase } from '../cluster-database.ts';
import { findCluster } from '../cluster-jobs.ts';
import { giveOrder, memberId, ORDER_HELP, type OrderFlags } from '../order-sender.ts';

const EXIT_CODES = `
Exit codes: 0 done, 64 wrong usage, 65 not possible as things stand, 69 nothing there to ask, 75 try again, 77 not allowed`;

const listHelp = `
States: requested (waits for covey admit) → active → draining (moved away while it serves) → left; suspended (keeps what it
holds, gets nothing new); refused. "used" is the part of the declared capacity that placement counts with. "probe" is what the
coordinator found when it last used the member as a client would; astray: it does not keep to the table that it acknowledges.

Examples:
  covey members
  covey members --json | jq -r '.[] | select(.state == "requested") | .id'`;

const joinHelp = `
Run it where the member's key is. The coordinator asks the relay at --url for its information document (NIP-11), whose
"self" must be that key. Joining again changes name, URL, operator, capacity or nkey.

Examples:
  covey join --coordinator https://coordinator.birds.example --url wss://relay.example --key-file member.key \\
    --operator "Jane" --capacity 2 --nkey nats-member.nk
  covey join --url ws://127.0.0.1:4701 --key-file member.key       a sixth relay in a local cluster
${EXIT_CODES}`;

/** `covey members`, `join`, and the orders about one member. */
export function registerMembers(program: Command): void {
  program
    .command('members')
    .description('who is, was or wants to be a member')
    .option('--json', 'print a JSON list')
    .addHelpText('after', listHelp)
    .action((flags: { json?: boolean }) => runAsking(() => list(flags)));
  program
    .command('join')
    .description('ask a cluster to take in this relay')
    .requiredOption('--url <url>', 'the relay’s URL for clients and members')
    .requiredOption('--key-file <file>', 'the secret key that the relay runs with')
    .option('--operator <name>', 'who runs it: relays of one operator never hold the same account together')
    .option('--name <name>', 'what people call it (default: as its information document says)')
    .option('--capacity <n>', 'of copies, connections and reads, as a number or three with commas', capacity)
    .option('--nkey <nkey|file>', 'its NATS user: public nkey, or the file with the seed')
    .option(
      '--coordinator <url>',
      'a coordinator of the cluster (default: COVEY_COORDINATOR_URL, else the local one)',
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', joinHelp)
    .action((flags: JoinFlags) => runAsking(() => join(flags)));
  for (const [action, description] of ABOUT_MEMBERS) registerMemberOrder(program, action, description);
}

const ABOUT_MEMBERS: [Exclude<MemberOrder['action'], 'join'>, string][] = [
  ['admit', 'take in a relay that asked to join'],
  ['refuse', 'turn down a relay that asked to join'],
  ['drain', 'have everything moved away from a member while it serves'],
  ['leave', 'drain a member, and let it go once it holds nothing'],
  ['suspend', 'give a member nothing new: it misbehaves'],
  ['reinstate', 'end the draining or the suspension of a member'],
];

function registerMemberOrder(
  program: Command,
  action: Exclude<MemberOrder['action'], 'join'>,
  description: string,
): void {
  program
    .command(`${action} <member>`)
    .description(description)
    .option('--reason <text>', 'for the log and for other admins')
    .option('--key-file <file>', 'sign the order with this key')
    .option('--coordinator <url>', 'send the signed order there')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nMEMBER is a name, URL, npub, or public key (or its beginning).${ORDER_HELP}\n\nExample:\n  covey ${action} Chukar --reason "disk is full"\n${EXIT_CODES}`,
    )
    .action((member: string, flags: OrderFlags & { reason?: string }) =>
      runAsking(async () => {
        const id = await memberId(member, flags, process.env);
        const order = { action, member: id, ...(flags.reason ? { reason: flags.reason } : {}) };
        await giveOrder(order as MemberOrder, flags, process.env);
      }),
    );
}

async function list({ json }: { json?: boolean }): Promise<void> {
  const members = await withDatabase(findCluster(process.env), async (sql) => {
    const probes = await listProbes(sql);
    return (await listMembers(sql)).map((member) => ({ ...member, probes: probes.get(member.id) ?? [] }));
  });
  if (json) return void console.log(JSON.stringify(members, null, 2));
  if (members.length === 0)
    return void console.log('no members yet: covey join asks to be one, and COVEY_MEMBERS_FILE names some');
  console.log(
    alignColumns([
      ['name', 'state', 'since', 'operator', 'declared', 'used', 'probe', 'url', 'key'],
      ...members.map(row),
    ]),
  );
}

function row(member: MemberRow & { probes: Probe[] }): (string | number)[] {
  const [probe] = member.probes;
  const { name, state, reason, leaving, changedAt, operator, declared, capacity: used, url, id } = member;
  const why = leaving ? 'leaving' : ['requested', 'suspended', 'refused'].includes(state) ? reason : '';
  return [
    name,
    why ? `${state} (${why})` : state,
    changedAt.slice(0, 16),
    operator === id ? '(itself)' : operator,
    short(declared),
    short(used),
    probe ? (probe.outcome === 'ok' ? `ok, ${probe.ms ?? 0} ms` : probe.outcome) : '',
    url,
    npubEncode(id),
  ];
}

function short({ copies, connections, reads }: Capacity): string {
  return copies === connections && copies === reads ? String(copies) : `${copies}/${connections}/${reads}`;
}

interface JoinFlags extends OrderFlags {
  url: string;
  keyFile: string;
  operator?: string;
  name?: string;
  capacity?: Capacity;
  nkey?: string;
}

async function join(flags: JoinFlags): Promise<void> {
  const { url, keyFile, operator, name, nkey } = flags;
  let member: string;
  let user: string | undefined;
  try {
    member = publicKeyOf(readSecretKeyFile(keyFile));
    user = nkey && publicNkey(nkey.startsWith('U') ? nkey : readSecretFile(nkey));
  } catch (error) {
    throw new CommandError(EXIT.data, (error as Error).message, { cause: error });
  }
  const order: MemberOrder = {
    action: 'join',
    member,
    url,
    ...(operator ? { operator } : {}),
    ...(name ? { name } : {}),
    ...(flags.capacity ? { capacity: flags.capacity } : {}),
    ...(user ? { nkey: user } : {}),
  };
  await giveOrder(order, flags, process.env);
}

function capacity(text: string): Capacity {
  const parts = text.split(',').map(Number);
  if (![1, 3].includes(parts.length) || parts.some((part) => !(part >= 0 && part <= 1e6)))
    throw new InvalidArgumentError('Give a number such as 2, or copies,connections,reads such as 2,1,1.');
  const [copies = 1, connections = copies, reads = copies] = parts;
  return { copies, connections, reads };
}
