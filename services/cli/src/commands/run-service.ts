import { join } from 'node:path';
import type { Command } from 'commander';

const SERVICES_DIR = join(import.meta.dirname, '..', '..', '..');

/** What every service reads. */
export const COMMON_VARIABLES = `
  COVEY_CLUSTER      name of the cluster (default local)
  COVEY_PROFILE      public: relay URLs must be wss:// and reachable from the internet (default);
                     local: private addresses are allowed
  COVEY_ROOTS        root public keys to trust, npub or hex, separated by commas
  NATS_URL           nats:// or tls://, several separated by commas
  NATS_NKEY_FILE     file with the nkey seed of this service's NATS user (mode 0600), or
  NATS_CREDS_FILE    NATS credentials file
  COVEY_LOG          level of the logs, JSON on standard output (default info)`;

/**
 * A command that runs one service in this process: its main.ts reads the environment, starts, and stops on SIGTERM or
 * SIGINT. Loaded by path, for services do not depend on each other.
 */
export function registerService(
  program: Command,
  { name, description, help }: { name: string; description: string; help: string },
): void {
  program
    .command(name)
    .description(description)
    .addHelpText(
      'after',
      `\n${help.trim()}\n\nExit codes: 0 stopped by a signal; another: see the last line of its log`,
    )
    .action(async () => {
      await import(join(SERVICES_DIR, name, 'src', 'main.ts'));
    });
}
