import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { TableCache } from '@covey/nats';
import { type NostrEvent, publicKeyOf } from '@covey/nostr';
import { type PlacementTable, signCertificate, signManifest, verifyManifest } from '@covey/table';
import { waitFor } from '../support/wait-for.ts';

export const LAUNCHER = fileURLToPath(
  new URL('../../services/gateway/bin/covey-strfry-plugin', import.meta.url),
);
export const AUTHORITY = { secretKey: '3'.repeat(64), pubkey: publicKeyOf('3'.repeat(64)) };
export const FORGER = { secretKey: '4'.repeat(64), pubkey: publicKeyOf('4'.repeat(64)) };

/** The manifest of a table, signed by `authority` as root and coordinator at once. */
export function manifestOf(
  table: PlacementTable,
  authority = AUTHORITY,
  previous: string | null = null,
): NostrEvent {
  const { pubkey, secretKey } = authority;
  return signManifest(
    {
      cluster: table.cluster,
      epoch: table.epoch,
      previous,
      createdAt: 1000,
      root: table.root,
      tableBytes: table.bytes.length,
      inputs: '0'.repeat(64),
      movesUntil: 2000,
      members: table.members.map(({ id, url }) => ({ id, url })),
      counts: { accounts: table.accounts, follows: 0, communities: 1, groups: 1, moved: 0 },
    },
    pubkey,
    secretKey,
    signCertificate(
      { cluster: table.cluster, coordinator: pubkey, root: pubkey, createdAt: 0, expiration: 4e9 },
      secretKey,
    ),
  );
}

/** Puts a table where the follower of a member would, by the follower's own code. */
export function cacheTable(tableDir: string, table: PlacementTable, authority = AUTHORITY): void {
  const event = manifestOf(table, authority);
  const manifest = verifyManifest(event, [authority.pubkey], table.cluster);
  new TableCache(tableDir).save({ table, event, manifest });
}

export interface PluginAnswer {
  id: string;
  action: string;
  msg?: string;
}

/** The plugin as a child process, talked to as strfry does. */
export class PluginProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything that came on standard output, unparsed. */
  stdout = '';
  stderr = '';
  #read = 0;

  constructor(command: string, args: string[], env: Record<string, string>) {
    // No profile, no PATH of a login: what a service manager gives.
    this.child = spawn(command, args, {
      env: { PATH: '/usr/bin:/bin', COVEY_SETTINGS_FILE: '/nowhere', ...env },
    });
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.child.stdin.on('error', () => {}); // it may be gone before all is written
  }

  write(...lines: (string | object)[]): void {
    for (const line of lines)
      this.child.stdin.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
  }

  /** The next line of standard output. */
  async answer(): Promise<PluginAnswer> {
    const there = () => this.stdout.indexOf('\n', this.#read) >= 0;
    await waitFor(() => there() || this.child.exitCode !== null, 'an answer');
    if (!there()) throw new Error(`the plugin exited with ${this.child.exitCode}: ${this.stderr}`);
    const end = this.stdout.indexOf('\n', this.#read);
    const line = this.stdout.slice(this.#read, end);
    this.#read = end + 1;
    return JSON.parse(line);
  }

  async ask(request: string | object): Promise<PluginAnswer> {
    this.write(request);
    return await this.answer();
  }

  async logged(text: string | RegExp): Promise<void> {
    await waitFor(() => this.stderr.search(text) >= 0, `"${text}" in the log`);
  }

  /** Closes standard input; code and signal of the exit. */
  async close(): Promise<[number | null, string | null]> {
    const closed = once(this.child, 'close');
    this.child.stdin.end();
    return (await closed) as [number | null, string | null];
  }

  /** Sends a signal; code and signal of the exit. */
  async kill(signal: NodeJS.Signals): Promise<[number | null, string | null]> {
    const closed = once(this.child, 'close');
    this.child.kill(signal);
    return (await closed) as [number | null, string | null];
  }
}
