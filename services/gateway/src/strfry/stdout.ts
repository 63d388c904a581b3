import { writeSync } from 'node:fs';

/**
 * Takes standard output for answers alone: whatever else writes there from now on (a console.log in some package) goes to
 * standard error, for one stray line makes strfry distrust the plugin. Returns how to write an answer.
 */
export function takeStdout(): (lines: string) => Promise<void> {
  const { stdout } = process;
  const write = stdout.write.bind(stdout) as (
    text: string,
    callback: (error?: Error | null) => void,
  ) => boolean;
  stdout.write = ((chunk: string | Uint8Array) => {
    try {
      writeSync(2, Buffer.from(chunk as string));
    } catch {
      // Nobody reads it.
    }
    return true;
  }) as typeof stdout.write;
  return (lines) =>
    new Promise((resolve, reject) => {
      write(lines, (error) => (error ? reject(error) : resolve()));
    });
}
