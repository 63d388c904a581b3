import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { commandLine } from './process-identity.ts';

/** Whether somebody listens on this port of 127.0.0.1 (or on all addresses). */
export async function isPortTaken(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.on('error', () => resolve(true));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)));
  });
}

const COMMAND_CHARACTERS_SHOWN = 60;

/** Who listens on a TCP port, as far as this user may see: "node server.js (process 123)". */
export function portOwner(port: number): string | undefined {
  const pid = process.platform === 'linux' ? listenerPid(port) : lsofPid(port);
  if (!pid) return undefined;
  const command = commandLine(pid) ?? 'a process';
  const shown =
    command.length > COMMAND_CHARACTERS_SHOWN ? `${command.slice(0, COMMAND_CHARACTERS_SHOWN)}…` : command;
  return `${shown} (process ${pid})`;
}

const STATE_LISTEN = '0A';

function listenerPid(port: number): number | undefined {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of readLines(table)) {
      // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${hexPort}`) && fields[3] === STATE_LISTEN)
        sockets.add(`socket:[${fields[9]}]`);
    }
  if (sockets.size === 0) return undefined;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    for (const file of readNames(`/proc/${name}/fd`))
      if (sockets.has(readTarget(`/proc/${name}/fd/${file}`))) return Number(name);
  }
  return undefined;
}

function lsofPid(port: number): number | undefined {
  const { stdout } = spawnSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t'], {
    encoding: 'utf8',
    timeout: 5_000,
  });
  return Number((stdout ?? '').split('\n', 1)[0]) || undefined;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').split('\n');
  } catch {
    return [];
  }
}

/** Another user's process has no readable list. */
function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
