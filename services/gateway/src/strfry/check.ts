import { readDenyList } from '../deny-list.ts';
import type { Log } from '../stderr-log.ts';
import { readCachedTable } from '../table/cached-table.ts';
import { type PluginFlags, readPluginConfig } from './config.ts';

/**
 * Says on standard error whether settings, deny list and table can be used. Exit codes: 0 all of them, 2 the settings or
 * the deny list are wrong, 75 no table yet, or none that counts.
 */
export function check(env: NodeJS.ProcessEnv, flags: PluginFlags, log: Log): void {
  let config: ReturnType<typeof readPluginConfig>;
  try {
    config = readPluginConfig(env, flags);
    if (config.denyFile) {
      const { problems } = readDenyList(config.denyFile);
      if (problems.length > 0) throw new Error(`${config.denyFile}: ${problems.join('; ')}`);
    }
  } catch (error) {
    log.error({ error: (error as Error).message }, 'wrong settings');
    process.exitCode = 2;
    return;
  }
  const { tableDir, roots, cluster, self, writes } = config;
  try {
    const cached = readCachedTable(tableDir, roots, cluster);
    if (!cached) throw new Error(`there is no table in ${tableDir} yet`);
    const { epoch } = cached.manifest;
    if (cached.table.memberIndex(self) === undefined)
      throw new Error(`member ${self} is not in the table of epoch ${epoch}`);
    log.info({ epoch, accounts: cached.table.accounts, member: self, writes }, 'ready to enforce');
  } catch (error) {
    log.warn({ error: (error as Error).message }, 'nothing to enforce: every event would be accepted');
    process.exitCode = 75;
  }
}
