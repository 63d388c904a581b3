import type { Command } from 'commander';
import { registerRelayStore } from './relay-store.ts';
import { COMMON_VARIABLES, registerService } from './run-service.ts';

const help = `
Runs one member of a cluster: a Nostr relay that follows the placement table.

Environment:${COMMON_VARIABLES}
  COVEY_MEMBER_KEY_FILE  its secret key, 64 hex digits or nsec, mode 0600: covey keygen key
  COVEY_MEMBER_DIR       folder of its store and of the last good table
  COVEY_STORE_URL        postgres://…: events are kept there instead of in the folder
  COVEY_LISTEN           host:port; put a TLS proxy before it
  COVEY_PUBLIC_URL       the wss:// URL that clients open, as in the table
  COVEY_WRITES           what to do with a write for an account held elsewhere: forward (default), redirect, observe
  COVEY_MEMBER_NAME      what it calls itself (NIP-11)
  COVEY_API_URL          an API to tell clients of

Example:
  NATS_URL=tls://nats.example.org NATS_NKEY_FILE=keys/nats-member.nk COVEY_ROOTS=npub1… \\
  COVEY_MEMBER_KEY_FILE=keys/member.key COVEY_MEMBER_DIR=/var/lib/covey/member COVEY_LISTEN=127.0.0.1:4601 \\
  COVEY_PUBLIC_URL=wss://relay.example.org covey relay`;

export function registerRelay(program: Command): void {
  registerService(program, { name: 'relay', description: 'run a member (a relay) alone', help });
  const relay = program.commands.find((command) => command.name() === 'relay');
  if (relay) registerRelayStore(relay);
}
