import type { Command } from 'commander';

const help = `
Starts PostgreSQL, NATS, a coordinator, five relays, the API and the dashboard, keeps them running, and stops them at
Ctrl-C. The first start fills the graph from a crawl (npm package nostr-social-graph); the next ones resume.

Environment:
  COVEY_HOME      data, keys and logs (default .covey)
  COVEY_PORT      API and dashboard (default 4600); members +1 … +5, coordinator +10, NATS +20, PostgreSQL +21
  COVEY_CLUSTER   name of the cluster (default local)
  DATABASE_URL    a PostgreSQL, 15 or newer, instead of the embedded one
  NATS_URL        a NATS server, 2.10 or newer with JetStream, instead of the embedded one;
                  NATS_NKEY_FILE or NATS_CREDS_FILE: a user of it who may do everything (default: the keys in COVEY_HOME)
  REDIS_URL       Redis 7 or Valkey for BullMQ instead of PostgreSQL
  COVEY_LOG       level of the logs in COVEY_HOME/logs (default info)
  What else is set (COVEY_WRITES, COVEY_SEED …) goes on to the services.

Examples:
  covey up
  COVEY_PORT=5600 COVEY_HOME=/tmp/covey covey up
  covey up --json | head -1 | jq .apiUrl
  DATABASE_URL=postgres://covey:secret@db/covey covey up

Exit codes: 0 stopped when told to, 64 wrong usage, 65 damaged data, 69 a port is taken or a server is missing,
70 a process does not start, 73 COVEY_HOME can't be written to, 75 runs already`;

/** `covey up`: a whole cluster on this machine. */
export function registerUp(program: Command): void {
  program
    .command('up')
    .description('start a whole cluster on this machine; Ctrl-C stops it')
    .option('--json', 'print one line of JSON on standard output when ready, and nothing else there')
    .option('--empty', 'begin with an empty graph instead of the crawl')
    .addHelpText('after', help)
    .action(async (flags: { json?: boolean; empty?: boolean }) => {
      // Loaded when it is wanted: every other command would wait for it.
      const { upExitCode } = await import('../up/exit-code.ts');
      // Explicitly: the channel to a wrapper, or a timer of some library, must not keep a stopped cluster's process.
      process.exit(await upExitCode(flags));
    });
}
