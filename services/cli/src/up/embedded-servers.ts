import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { HomePaths } from '@covey/config';
import { findNatsServer, NatsServerMissingError, natsServerVersion } from './nats-binary.ts';
import {
  EmbeddedPostgresMissingError,
  findPostgresPackage,
  type PostgresBinaries,
  preparePostgres,
} from './postgres-binaries.ts';
import { checkPostgresVersion, findPostgresPlace, type PostgresPlace } from './postgres-place.ts';
import type { UpSettings } from './settings.ts';
import { hasName } from './unprivileged.ts';
import { UP_EXIT, UpError } from './up-error.ts';

/** The servers to run beside the services; each undefined where a real one is used. */
export interface EmbeddedServers {
  postgres:
    | { place: PostgresPlace; version: string; binaries(place: PostgresPlace): PostgresBinaries }
    | undefined;
  nats: { binary: string; version: string } | undefined;
}

/** Looks for what will be run, and where its data is. Changes nothing in the home. @throws UpError */
export function findEmbeddedServers(settings: UpSettings, paths: HomePaths): EmbeddedServers {
  return {
    postgres: settings.databaseUrl ? undefined : findPostgres(paths),
    nats: settings.natsUrl ? undefined : findNats(),
  };
}

function findPostgres(paths: HomePaths): EmbeddedServers['postgres'] {
  let native: string;
  try {
    native = findPostgresPackage();
  } catch (error) {
    if (!(error instanceof EmbeddedPostgresMissingError)) throw error;
    throw new UpError(
      UP_EXIT.unavailable,
      `${error.message}.\nNext: run npm ci again where npm left out optional packages, or set DATABASE_URL to a PostgreSQL 15 or newer`,
      { cause: error },
    );
  }
  const version = packageVersion(native);
  const place = findPostgresPlace(paths);
  if (!place.initialised && !hasName())
    throw new UpError(
      UP_EXIT.unavailable,
      `user ${process.geteuid?.()} has no entry in /etc/passwd, and PostgreSQL's initdb insists on one.\nNext: run as a user who has, or set DATABASE_URL to a PostgreSQL 15 or newer`,
    );
  if (place.initialised) checkPostgresVersion(paths, place.dataDir, version.split('.')[0]!);
  const binaries = ({ copyDir, user }: PostgresPlace) => preparePostgres(native, copyDir, user);
  return { place, version, binaries };
}

/** By the package, for the program does not run before its libraries are linked: 18.4.0-beta.17 holds PostgreSQL 18.4. */
function packageVersion(native: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as {
    version: string;
  };
  return version.split('.').slice(0, 2).join('.');
}

function findNats(): EmbeddedServers['nats'] {
  try {
    const binary = findNatsServer();
    return { binary, version: natsServerVersion(binary) ?? 'of unknown version' };
  } catch (error) {
    if (!(error instanceof NatsServerMissingError)) throw error;
    throw new UpError(UP_EXIT.unavailable, error.message, { cause: error });
  }
}
