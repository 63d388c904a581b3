import { registerHooks } from 'node:module';
import type Postgres from 'postgres';

const WRITES = 'const x = socket.write(chunk, fn)';
const GUARDED = `if (socket === null) {
      clearImmediate(nextWriteTimer)
      chunk = nextWriteTimer = null
      error(Errors.connection('CONNECTION_CLOSED', options, socket))
      return false
    }
    ${WRITES}`;

/**
 * postgres.js, with one guard that its release 3.4.9 lacks (porsager/postgres issues 1154, 1208; pull request 1209): a statement of
 * a transaction whose connection was lost meanwhile, its `rollback` first of all, was written to nothing, from a timer where
 * nobody can catch what that throws, and the process ended. With it the statement fails. It is put in as the file is loaded:
 * nothing that is installed is changed. To go with the release that has it.
 */
async function load(): Promise<typeof Postgres> {
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith('/postgres/src/connection.js') || !loaded.source) return loaded;
      const source =
        typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      if (!source.includes(WRITES))
        throw new Error(
          'postgres.js is not the release that shared/postgres/src/library.ts guards: see its package.json, and drop the guard if the release has it',
        );
      return { ...loaded, source: source.replace(WRITES, GUARDED) };
    },
  });
  try {
    return (await import('postgres')).default;
  } finally {
    hooks.deregister();
  }
}

export const postgres = await load();
