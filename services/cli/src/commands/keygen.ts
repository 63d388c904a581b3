import { existsSync } from 'node:fs';
import {
  generateSecretKey,
  readSecretFile,
  readSecretKeyFile,
  SecretFileError,
  writeSecretFile,
} from '@covey/config';
import { createNkey, InvalidNkeyError, natsUsersConfig, publicNkey } from '@covey/nats';
import { InvalidKeyError, npubEncode, parsePubkey, publicKeyOf } from '@covey/nostr';
import {
  apiPermissions,
  coordinatorPermissions,
  InvalidClusterNameError,
  memberPermissions,
  subjectsOf,
} from '@covey/protocol';
import { signCertificate, signRevocation } from '@covey/table';
import type { Command } from 'commander';

const EXIT_USAGE = 64;
const EXIT_DATA = 65;
const EXIT_CANT_CREATE = 73;
const DAY_S = 86_400;

/** A command ends with this message and exit code. */
class KeygenError extends Error {
  override name = 'KeygenError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

const help = `
Secrets go to files of mode 0600 and never to the screen. A file that is there is not replaced.

Examples:
  covey keygen key root.key                       a Nostr key: for a root, a coordinator or a member
  covey keygen nkey nats-coordinator.nk           a NATS user's key
  covey keygen certificate --root root.key --coordinator npub1… --cluster birds > certificate.json
  covey keygen revocation --root root.key --coordinator npub1… --cluster birds --last-epoch 41 > revocation.json
  covey keygen nats-users --cluster birds --coordinator UABC… --api UDEF… --member npub1…=UGHI… > users.conf

Exit codes: 0 made, 64 wrong usage, 65 a key that can't be used, 73 the file can't be made`;

/** `covey keygen`: keys, certificates and NATS users for clusters that are not run by `covey up`. */
export function registerKeygen(program: Command): void {
  const keygen = program
    .command('keygen')
    .description('make keys, certificates, revocations, NATS users')
    .addHelpText('after', help);
  keygen
    .command('key <file>')
    .description('a new Nostr secret key in a file (hex); prints the public key')
    .option('--json', 'print {"pubkey","npub","file"}')
    .action((file: string, { json }: { json?: boolean }) => attempt(() => printKey(file, json)));
  keygen
    .command('nkey <file>')
    .description('a new NATS user’s seed in a file; prints the public key (U…)')
    .option('--json', 'print {"nkey","file"}')
    .action((file: string, { json }: { json?: boolean }) => attempt(() => printNkey(file, json)));
  keygen
    .command('certificate')
    .description('the certificate that lets a coordinator sign for a root key; prints it')
    .requiredOption('--root <file>', 'the root’s secret key; keep it offline')
    .requiredOption('--coordinator <pubkey>', 'the coordinator’s public key, npub or hex')
    .requiredOption('--cluster <name>', 'name of the cluster')
    .option('--days <n>', 'for how long', '365')
    .action((flags: CertificateFlags) => attempt(() => printCertificate(flags)));
  keygen
    .command('revocation')
    .description('the root’s word that a coordinator’s key is void (stolen, replaced); prints it')
    .requiredOption('--root <file>', 'the root’s secret key')
    .requiredOption('--coordinator <pubkey>', 'the key that is void, npub or hex')
    .requiredOption('--cluster <name>', 'name of the cluster')
    .option('--last-epoch <n>', 'epochs by it up to this one stand', '0')
    .option('--reason <text>', 'for people')
    .action((flags: RevocationFlags) => attempt(() => printRevocation(flags)));
  keygen
    .command('nats-users')
    .description(
      'the users of a cluster with their permissions, for a nats-server’s configuration; prints it',
    )
    .requiredOption('--cluster <name>', 'name of the cluster')
    .requiredOption('--coordinator <nkey>', 'public nkey (U…) of the coordinators')
    .option('--api <nkey>', 'public nkey of the apis')
    .option(
      '--member <pubkey=nkey>',
      'a member’s public key and its public nkey; may be given again',
      collect,
      [],
    )
    .action((flags: UsersFlags) => attempt(() => printUsers(flags)));
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

function printKey(file: string, json = false): void {
  const secretKey = generateSecretKey();
  create(file, `${secretKey}\n`);
  const pubkey = publicKeyOf(secretKey);
  console.log(
    json ? JSON.stringify({ pubkey, npub: npubEncode(pubkey), file }) : `${npubEncode(pubkey)}\n${pubkey}`,
  );
}

function printNkey(file: string, json = false): void {
  const { seed, nkey } = createNkey();
  create(file, `${seed}\n`);
  console.log(json ? JSON.stringify({ nkey, file }) : nkey);
}

interface CertificateFlags {
  root: string;
  coordinator: string;
  cluster: string;
  days: string;
}

function printCertificate({ root, coordinator, cluster, days }: CertificateFlags): void {
  subjectsOf(cluster); // throws on a bad name
  const count = Number(days);
  if (!Number.isInteger(count) || count < 1 || count > 36_500)
    throw new KeygenError(EXIT_USAGE, `--days is "${days}"; it must be a whole number from 1 to 36500`);
  const rootKey = readSecretKeyFile(root);
  const createdAt = Math.floor(Date.now() / 1000);
  const expiration = createdAt + count * DAY_S;
  const certificate = {
    cluster,
    coordinator: parsePubkey(coordinator),
    root: publicKeyOf(rootKey),
    createdAt,
    expiration,
  };
  console.log(JSON.stringify(signCertificate(certificate, rootKey)));
}

interface RevocationFlags {
  root: string;
  coordinator: string;
  cluster: string;
  lastEpoch: string;
  reason?: string;
}

function printRevocation({ root, coordinator, cluster, lastEpoch, reason }: RevocationFlags): void {
  subjectsOf(cluster); // throws on a bad name
  const last = Number(lastEpoch);
  if (!Number.isSafeInteger(last) || last < 0)
    throw new KeygenError(EXIT_USAGE, `--last-epoch is "${lastEpoch}"; it must be a whole number`);
  const rootKey = readSecretKeyFile(root);
  const revocation = {
    cluster,
    coordinator: parsePubkey(coordinator),
    lastEpoch: last,
    createdAt: Math.floor(Date.now() / 1000),
  };
  console.log(JSON.stringify(signRevocation(revocation, publicKeyOf(rootKey), rootKey, reason)));
}

interface UsersFlags {
  cluster: string;
  coordinator: string;
  api?: string;
  member: string[];
}

function printUsers({ cluster, coordinator, api, member }: UsersFlags): void {
  const users = [{ nkey: checkNkey(coordinator), permissions: coordinatorPermissions(cluster) }];
  if (api) users.push({ nkey: checkNkey(api), permissions: apiPermissions(cluster) });
  for (const pair of member) {
    const [pubkey = '', nkey = ''] = pair.split('=');
    users.push({ nkey: checkNkey(nkey), permissions: memberPermissions(cluster, parsePubkey(pubkey)) });
  }
  process.stdout.write(natsUsersConfig(users));
}

/** A public nkey, or a file with the seed of one. */
function checkNkey(text: string): string {
  if (text.startsWith('S') && !existsSync(text))
    throw new KeygenError(
      EXIT_DATA,
      'that is a seed, which stays secret: give the file that holds it, or its public nkey',
    );
  try {
    return publicNkey(existsSync(text) ? readSecretFile(text) : text);
  } catch (error) {
    if (!(error instanceof InvalidNkeyError)) throw error;
    const fix = 'give the U… that covey keygen nkey printed, or the file that it wrote';
    throw new KeygenError(EXIT_DATA, `"${text.slice(0, 60)}": ${error.message}; ${fix}`);
  }
}

function create(file: string, text: string): void {
  if (existsSync(file))
    throw new KeygenError(EXIT_CANT_CREATE, `${file} is there already and is not replaced`);
  try {
    writeSecretFile(file, text);
  } catch (error) {
    throw new KeygenError(EXIT_CANT_CREATE, `${file} can't be written: ${(error as Error).message}`);
  }
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    const exitCode = exitCodeOf(error);
    if (exitCode === undefined) throw error;
    process.stderr.write(`covey: ${(error as Error).message}\n`);
    process.exitCode = exitCode;
  }
}

function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof KeygenError) return error.exitCode;
  if (error instanceof InvalidClusterNameError) return EXIT_USAGE;
  return error instanceof InvalidKeyError || error instanceof SecretFileError ? EXIT_DATA : undefined;
}
