import { join } from 'node:path';
import type { Command } from 'commander';

const RUN = join(import.meta.dirname, '..', '..', '..', 'gateway', 'src', 'strfry', 'run.ts');

interface Flags {
  dir?: string;
  follow?: boolean;
  followOnly?: boolean;
  check?: boolean;
}

const help = `
Enforces the placement table in strfry: reads its write-policy requests on standard input, answers on standard output, and
logs on standard error. strfry itself should name services/gateway/bin/covey-strfry-plugin, which is the same and starts
faster; services/gateway/README.md shows how to set it up.

Environment:
  COVEY_MEMBER_DIR         the member's folder; its "table" holds the last good table
  COVEY_MEMBER_PUBKEY      public key (npub or hex) of the member that this relay is, or COVEY_MEMBER_KEY_FILE
  COVEY_ROOTS              root public keys to trust, npub or hex, separated by commas
  COVEY_CLUSTER            name of the cluster (default local)
  COVEY_WRITES             redirect (default): refuse what lives elsewhere and name where; observe: accept all and count
  COVEY_SYNCED             accept (default) or reject events of sync and stream that are not placed here
  COVEY_DENY_FILE          keys and kinds that are never taken, a line each; read again when it changes
  COVEY_UNKNOWN_PER_MINUTE events of keys that no table lists, from one address in a minute (default 0: no limit)
  NATS_URL, NATS_NKEY_FILE, NATS_CREDS_FILE   with --follow and --follow-only: where the table comes from
  COVEY_LOG                level of the logs (default info)

Example:
  COVEY_MEMBER_DIR=/var/lib/covey COVEY_MEMBER_PUBKEY=npub1… COVEY_ROOTS=npub1… covey strfry-plugin --check

Exit codes: 0 standard input was closed, or --check found all in order; 2 wrong settings (--check, --follow-only; the
plugin itself accepts every event then, and says so); 75 --check found no table that counts`;

/** `covey strfry-plugin`: loaded by path, for services do not depend on each other. */
export function registerStrfryPlugin(program: Command): void {
  program
    .command('strfry-plugin')
    .description('enforce the table in a strfry relay (its write-policy plugin)')
    .option('--dir <folder>', 'the member’s folder (default: COVEY_MEMBER_DIR)')
    .option('--follow', 'also follow the table over NATS, in the background')
    .option('--follow-only', 'only follow the table: a service beside strfry')
    .option('--check', 'say whether settings, deny list and table can be used, and stop')
    .addHelpText('after', `\n${help.trim()}`)
    .action(async (flags: Flags) => {
      const { runStrfryPlugin } = (await import(RUN)) as {
        runStrfryPlugin(env: NodeJS.ProcessEnv, flags: Flags): Promise<void>;
      };
      await runStrfryPlugin(process.env, flags);
    });
}
