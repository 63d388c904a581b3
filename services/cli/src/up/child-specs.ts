import { dirname, join } from 'node:path';
import type { HomePaths } from '@covey/config';
import { NATS_USERS_FILE, waitForNats } from './embedded-nats.ts';
import {
  type EmbeddedPostgres,
  postgresCommand,
  postgresEnv,
  postgresUrl,
  waitForPostgres,
} from './embedded-postgres.ts';
import type { Identity } from './identity.ts';
import {
  NATS_STEPS,
  POSTGRES_STEPS,
  type ReapStep,
  SERVICE_STEPS,
  STAGE_NATS,
  STAGE_POSTGRES,
  STAGE_SERVICE,
} from './reaper-protocol.ts';
import type { UpSettings } from './settings.ts';
import type { ChildSpec } from './supervised-child.ts';

/** Replays its log after a crash: minutes for a big one. */
const POSTGRES_READY_MS_MAX = 300_000;
const NATS_READY_MS_MAX = 30_000;
const SERVICE_READY_MS_MAX = 120_000;
/** At a first start it reads, places and publishes before it is ready. */
const COORDINATOR_READY_MS_MAX = 900_000;

const SERVICES_DIR = dirname(dirname(dirname(import.meta.dirname)));

export function postgresSpec(server: EmbeddedPostgres): ChildSpec {
  return {
    name: 'postgres',
    ...postgresCommand(server),
    // Somewhere that its user can enter.
    options: { cwd: '/', env: postgresEnv(), ...server.user },
    stage: STAGE_POSTGRES,
    reapSteps: POSTGRES_STEPS,
    stopSteps: POSTGRES_STEPS,
    ready: (signal) => waitForPostgres(postgresUrl(server, 'postgres'), POSTGRES_READY_MS_MAX, signal),
    readyMsMax: POSTGRES_READY_MS_MAX,
  };
}

export function natsSpec(binary: string, args: string[], port: number): ChildSpec {
  return {
    name: 'nats',
    command: binary,
    args,
    options: { cwd: '/', env: process.env },
    stage: STAGE_NATS,
    reapSteps: NATS_STEPS,
    stopSteps: NATS_STEPS,
    ready: (signal) => waitForNats('127.0.0.1', port, NATS_READY_MS_MAX, signal),
    readyMsMax: NATS_READY_MS_MAX,
  };
}

/** What the services are told. */
export interface ServiceSetup {
  settings: UpSettings;
  paths: HomePaths;
  identity: Identity;
  databaseUrl: string;
  natsUrl: string;
}

export function coordinatorSpec(setup: ServiceSetup): ChildSpec {
  const { settings, paths, databaseUrl } = setup;
  const env = {
    ...commonEnv(setup, 'coordinator'),
    DATABASE_URL: databaseUrl,
    REDIS_URL: settings.redisUrl ?? '',
    COVEY_COORDINATOR_KEY_FILE: paths.coordinatorKeyFile,
    COVEY_CERTIFICATE_FILE: paths.certificateFile,
    COVEY_MEMBERS_FILE: paths.membersFile,
    COVEY_LISTEN: `127.0.0.1:${settings.ports.coordinator}`,
    COVEY_SNAPSHOT: settings.snapshot ?? '',
    ...(settings.natsUrl ? {} : natsUsersEnv(setup)),
  };
  return service('coordinator', 'coordinator', env, COORDINATOR_READY_MS_MAX, 20_000);
}

/** The embedded server's users are the coordinator's to keep: who joins gets one, who leaves loses it. */
function natsUsersEnv({ paths, identity }: ServiceSetup): NodeJS.ProcessEnv {
  return {
    COVEY_NATS_USERS_FILE: join(paths.natsDir, NATS_USERS_FILE),
    COVEY_NATS_PID_FILE: join(paths.natsDir, 'nats.pid'),
    COVEY_NATS_COORDINATORS: identity.nkeys.get('coordinator') ?? '',
    COVEY_NATS_APIS: identity.nkeys.get('api') ?? '',
  };
}

export function memberSpecs(setup: ServiceSetup): ChildSpec[] {
  const { settings, paths, identity } = setup;
  return identity.ownMembers.map(({ n, member }) => {
    const env = {
      ...commonEnv(setup, `member-${n}`),
      COVEY_MEMBER_KEY_FILE: paths.memberKeyFile(n),
      COVEY_MEMBER_DIR: paths.memberDir(n),
      COVEY_LISTEN: `127.0.0.1:${settings.ports.member(n)}`,
      COVEY_PUBLIC_URL: member.url,
      COVEY_MEMBER_NAME: member.name,
      COVEY_API_URL: apiUrl(settings),
    };
    return service(`member-${n}`, 'relay', env, SERVICE_READY_MS_MAX, 10_000);
  });
}

export function apiSpec(setup: ServiceSetup): ChildSpec {
  const { settings, paths, databaseUrl } = setup;
  const env = {
    ...commonEnv(setup, 'api'),
    DATABASE_URL: databaseUrl,
    COVEY_API_DIR: paths.apiDir,
    COVEY_LISTEN: `127.0.0.1:${settings.ports.api}`,
    // Only allowed on loopback, which this is.
    COVEY_ADMIN: process.env['COVEY_ADMIN'] || 'open',
  };
  return service('api', 'api', env, SERVICE_READY_MS_MAX, 5_000);
}

export function apiUrl({ ports }: UpSettings): string {
  return `http://127.0.0.1:${ports.api}`;
}

function commonEnv(
  { settings, paths, identity, natsUrl }: ServiceSetup,
  natsUser: string,
): NodeJS.ProcessEnv {
  // A real server with users of its own is told by NATS_NKEY_FILE or NATS_CREDS_FILE; others know the home's keys.
  const own = !settings.natsNkeyFile && !settings.natsCredsFile;
  return {
    ...process.env,
    COVEY_HOME: paths.root,
    COVEY_CLUSTER: settings.cluster,
    COVEY_PROFILE: process.env['COVEY_PROFILE'] || 'local',
    COVEY_ROOTS: identity.root,
    NATS_URL: natsUrl,
    NATS_NKEY_FILE: own ? paths.nkeyFile(natsUser) : (settings.natsNkeyFile ?? ''),
    NATS_CREDS_FILE: settings.natsCredsFile ?? '',
  };
}

function service(
  name: string,
  folder: string,
  env: NodeJS.ProcessEnv,
  readyMsMax: number,
  stopMs: number,
): ChildSpec {
  const stopSteps: ReapStep[] = [
    { signal: 'SIGTERM', waitMs: stopMs },
    { signal: 'SIGKILL', waitMs: 1_000 },
  ];
  return {
    name,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', join(SERVICES_DIR, folder, 'src', 'main.ts')],
    options: { cwd: dirname(SERVICES_DIR), env },
    stage: STAGE_SERVICE,
    reapSteps: SERVICE_STEPS,
    stopSteps,
    ready: 'message',
    readyMsMax,
  };
}
