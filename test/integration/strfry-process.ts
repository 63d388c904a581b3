import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';

/** A strfry of its own, without a plugin. @param binary path of the program */
export async function startStrfry(binary: string): Promise<{ url: string; stop(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'covey-strfry-'));
  mkdirSync(join(dir, 'db'));
  const port = await freePort();
  writeFileSync(
    join(dir, 'strfry.conf'),
    `db = "${dir}/db/"\ndbParams { mapsize = 1073741824 }\nrelay { bind = "127.0.0.1" port = ${port} nofiles = 0 }\n`,
  );
  const child = spawn(binary, ['--config', join(dir, 'strfry.conf'), 'relay'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      log = (log + text).slice(-100_000);
    });
  await waitFor(() => /Started websocket server/.test(log) || child.exitCode !== null, 'strfry to start');
  if (child.exitCode !== null) throw new Error(`strfry did not start: ${log}`);
  return {
    url: `ws://127.0.0.1:${port}`,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit');
        child.kill('SIGKILL');
        await exit;
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
