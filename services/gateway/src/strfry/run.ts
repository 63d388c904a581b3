import { flushCompileCache } from 'node:module';
import { ConfigError } from '@covey/config';
import { createStderrLog, type Log } from '../stderr-log.ts';
import { UnknownQuota } from '../unknown-quota.ts';
import { check } from './check.ts';
import { type PluginConfig, type PluginFlags, readPluginConfig } from './config.ts';
import { MemberState } from './member-state.ts';
import { StrfryPlugin } from './plugin.ts';
import { StrfryPolicy } from './policy.ts';
import { takeStdout } from './stdout.ts';

const LINE_BYTES_MAX = 8 * 1024 * 1024;
const REMIND_MS = 60_000;

/**
 * The plugin, from its first line to the end of standard input; then the process exits with 0. There is no handler for
 * SIGTERM: strfry's writer waits until the plugin is gone, so it goes at once, in the middle of whatever it does.
 */
export async function runStrfryPlugin(
  env: NodeJS.ProcessEnv,
  flags: PluginFlags,
  problem?: string,
): Promise<void> {
  const log = createStderrLog('strfry-plugin', env['COVEY_LOG']);
  if (flags.check) return check(env, flags, log);
  const answer = takeStdout();
  let config: PluginConfig | undefined;
  try {
    if (problem) throw new ConfigError(problem);
    config = readPluginConfig(env, flags);
  } catch (error) {
    if (flags.followOnly || !(error instanceof ConfigError)) {
      log.error({ error: (error as Error).message }, 'the follower could not start');
      process.exit(2);
    }
    const remind = () =>
      log.error({ error: error.message }, 'wrong settings: NOTHING IS ENFORCED, every event is accepted');
    remind();
    setInterval(remind, REMIND_MS).unref();
  }
  survive(log);
  if (config && flags.followOnly) {
    const { followAlone } = await import('../follow/follow-alone.ts');
    return await followAlone(config, log);
  }
  const clock = () => performance.now();
  const policy = new StrfryPolicy({
    self: config?.self ?? '',
    writes: config?.writes ?? 'observe',
    synced: config?.synced ?? 'accept',
    quota: new UnknownQuota({ perMinute: config?.unknownPerMinute ?? 0, clock }),
  });
  if (config) new MemberState(config, policy, log).start();
  const plugin = new StrfryPlugin({
    policy,
    input: process.stdin,
    answer,
    log,
    lineBytesMax: config?.lineBytesMax ?? LINE_BYTES_MAX,
  });
  // Off the way of the first answer.
  setTimeout(() => flushCompileCache(), 1000).unref();
  if (config && flags.follow) void follow(config, log);
  try {
    await plugin.run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE')
      log.error({ error: String(error) }, 'strfry went away');
  }
  process.exit(0);
}

/** Not waited for: answers do not depend on it. */
async function follow(config: PluginConfig, log: Log): Promise<void> {
  const { followInBackground } = await import('../follow/follow-in-background.ts');
  followInBackground(config, log);
}

/** The relay is worth more than what went wrong beside a decision. */
function survive(log: Log): void {
  let said = 0;
  const onError = (error: unknown) => {
    if (said++ < 100)
      log.error({ error: error instanceof Error ? error.stack : String(error) }, 'went on after an error');
  };
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
  process.stdout.on('error', () => process.exit(0)); // nobody reads answers any more
}
