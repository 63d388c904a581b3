import type { Command } from 'commander';
import { COMMON_VARIABLES, registerService } from './run-service.ts';

const help = `
Answers from the last good table: placements, plans, the table, status, and the dashboard. Any number may run.

Environment:${COMMON_VARIABLES}
  COVEY_LISTEN   host:port (default 127.0.0.1:4600)
  COVEY_API_DIR  folder of the last good table (default $COVEY_HOME/api)
  DATABASE_URL   the coordinator's PostgreSQL; without it there are no names, epochs of old or communities
  COVEY_ADMIN    open: everybody sees who is in which community, only possible on loopback; closed (default)

Example:
  NATS_URL=tls://nats.example.org NATS_NKEY_FILE=keys/nats-api.nk COVEY_ROOTS=npub1… \\
  COVEY_LISTEN=127.0.0.1:4600 covey api`;

export function registerApi(program: Command): void {
  registerService(program, { name: 'api', description: 'run the HTTP API and the dashboard alone', help });
}
