import type { Command } from 'commander';
import { COMMON_VARIABLES, registerService } from './run-service.ts';

const help = `
Learns the follow graph, places accounts, signs epochs and publishes them. Several may run on one database: one leads.

Environment:${COMMON_VARIABLES}
  DATABASE_URL                PostgreSQL 15 or newer, postgres://user:password@host:port/database
  REDIS_URL                   Redis 7 or Valkey for BullMQ (default: BullMQ on PostgreSQL)
  COVEY_COORDINATOR_KEY_FILE  its secret key, 64 hex digits or nsec, mode 0600: covey keygen key
  COVEY_CERTIFICATE_FILE      by the root key: covey keygen certificate
  COVEY_NAME                  its name among the coordinators on this database (default: host and process)
  COVEY_MEMBERS_FILE          members to begin with: JSON list of {id, url, name, operator, nkey,
                              capacity: {copies, connections, reads}, state}; others come by covey join
  COVEY_ADMIT                 who joins at once: nobody (manual, the default: covey admit), allow-list
                              (COVEY_ADMIT_LIST: npub or hex, commas), or open
  COVEY_MEMBERS_MAX           beyond so many, everybody waits for an admin (default 256)
  COVEY_CAPACITY_FACTOR       a newcomer counts for at most so many times the median member (default 4)
  COVEY_COSIGN                on: compute the epochs of other coordinators again, and sign those that are right
                              (default off; members ask for k signatures with COVEY_SIGNATURES_MIN)
  COVEY_PROBE_EVERY_S         how often members are used as a client would, to see that they keep to the table
                              (default 900; 0: never)
  COVEY_ADMINS                public keys that may give signed orders (npub or hex, commas)
  COVEY_NATS_USERS_FILE       keep the users of a nats-server in this file, which its configuration includes, and reload
                              it (COVEY_NATS_PID_FILE); with COVEY_NATS_COORDINATORS and COVEY_NATS_APIS, public nkeys
  COVEY_NATS_REPLICAS         copies that JetStream keeps: 1 on one server (default), 3 in a NATS cluster
  COVEY_LISTEN                health, metrics, and /v1/orders (default 127.0.0.1:4610)
  COVEY_SNAPSHOT              nostr-social-graph: fill an empty graph from that crawl
  COVEY_TRUST_SEEDS           npubs or hex with commas, or a file with one a line; without them rings of fake accounts count
                              like anybody
  COVEY_MOVES_ACCOUNTS_MAX    accounts that one member fills at a time (default 2000); COVEY_MOVES_BYTES_MAX: in bytes (1 GiB)
  COVEY_MOVES_STEP_MS         least time between two steps of moves (default 5000, in the local profile 1000)
  COVEY_PLAN_TTL_S            how long clients may follow a plan of an older epoch (default 300, in the local profile 10)
  COVEY_TRUST_ACCOUNTS, COVEY_COPIES, COVEY_EXTRA_COPIES, COVEY_HUBS, COVEY_SEED, COVEY_PLACE_EVERY_S: see README.md

Example:
  DATABASE_URL=postgres://covey:secret@db/covey NATS_URL=tls://nats.example.org NATS_NKEY_FILE=keys/nats-coordinator.nk \\
  COVEY_COORDINATOR_KEY_FILE=keys/coordinator.key COVEY_CERTIFICATE_FILE=keys/certificate.json \\
  COVEY_MEMBERS_FILE=members.json COVEY_ROOTS=npub1… covey coordinator`;

export function registerCoordinator(program: Command): void {
  registerService(program, { name: 'coordinator', description: 'run a coordinator alone', help });
}
