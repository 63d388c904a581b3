import { ConfigError } from '@covey/config';
import { InvalidClusterNameError } from '@covey/protocol';
import { runUp } from './run-up.ts';
import { readUpSettings } from './settings.ts';
import { UP_EXIT, UpError } from './up-error.ts';

/** Runs a local cluster until it is stopped; what keeps it from starting goes to standard error. @returns the exit code. */
export async function upExitCode(flags: { json?: boolean; empty?: boolean }): Promise<number> {
  try {
    await runUp(readUpSettings(process.env, flags));
    return UP_EXIT.ok;
  } catch (error) {
    if (error instanceof UpError) return tell(error.message, error.exitCode);
    if (error instanceof ConfigError || error instanceof InvalidClusterNameError)
      return tell(error.message, UP_EXIT.usage);
    const { message, stack } = error as Error;
    return tell((process.env['COVEY_LOG'] === 'debug' && stack) || message, UP_EXIT.internal);
  }
}

function tell(message: string, exitCode: number): number {
  process.stderr.write(`covey: ${message}\n`);
  return exitCode;
}
