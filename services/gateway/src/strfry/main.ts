import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { PluginFlags } from './config.ts';

/** Node's compile cache, in the member's folder: what is loaded below is up in a quarter of the time from the second start. */
function cacheCode(memberDir: string | undefined): void {
  if (!memberDir || process.env['NODE_COMPILE_CACHE']) return;
  const dir = join(memberDir, 'compile-cache');
  try {
    if (!existsSync(dir)) mkdirSync(dir, { mode: 0o700 });
    const stats = lstatSync(dir);
    // What is in it is run: nobody else may have put it there.
    if (stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0)
      enableCompileCache(dir);
  } catch {
    // Not to be had: slower, and nothing else.
  }
}

let flags: PluginFlags = {};
let problem: string | undefined;
try {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' },
      follow: { type: 'boolean' },
      'follow-only': { type: 'boolean' },
      check: { type: 'boolean' },
    },
  });
  flags = { dir: values.dir, follow: values.follow, followOnly: values['follow-only'], check: values.check };
} catch (error) {
  problem = (error as Error).message;
}
cacheCode(flags.dir ?? process.env['COVEY_MEMBER_DIR']?.trim());
const { runStrfryPlugin } = await import('./run.ts');
await runStrfryPlugin(process.env, flags, problem);
