import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TableCache } from '@covey/nats';
import { signCertificate, signManifest, verifyManifest } from '@covey/table';
import { type FixtureGroup, fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner, type Signer } from '../conformance/signer.ts';
import { freePort } from '../support/free-port.ts';

const MAIN = fileURLToPath(new URL('../../services/relay/src/main.ts', import.meta.url));

/** Members as processes of their own, with one signed table that each finds in its folder. */
export class ProcessCluster {
  readonly urls: string[];
  readonly #root = mkdtempSync(join(tmpdir(), 'covey-chaos-'));
  readonly #keys: Signer[];
  readonly #ports: number[];
  readonly #children: (ChildProcess | undefined)[] = [];
  readonly #environment: Record<string, string>;
  readonly #authority = newSigner();
  readonly #applied: Parameters<TableCache['save']>[0];

  private constructor(ports: number[], groups: readonly FixtureGroup[], environment: Record<string, string>) {
    this.#ports = ports;
    this.#keys = ports.map(() => newSigner());
    this.#environment = environment;
    this.urls = ports.map((port) => `ws://127.0.0.1:${port}`);
    const table = fixtureTable({
      members: this.#keys.map(({ pubkey }, i) => ({ id: pubkey, url: this.urls[i]! })),
      groups,
      slotMembers: [0, 1, 2].filter((i) => i < ports.length),
    });
    const { pubkey, secretKey } = this.#authority;
    const event = signManifest(
      {
        cluster: 'test',
        epoch: 1,
        previous: null,
        createdAt: 1000,
        root: table.root,
        tableBytes: table.bytes.length,
        inputs: '0'.repeat(64),
        movesUntil: 2000,
        members: table.members.map(({ id, url }) => ({ id, url })),
        counts: { accounts: 1, follows: 0, communities: 1, groups: 1, moved: 0 },
      },
      pubkey,
      secretKey,
      signCertificate(
        { cluster: 'test', coordinator: pubkey, root: pubkey, createdAt: 0, expiration: 4e9 },
        secretKey,
      ),
    );
    this.#applied = { table, event, manifest: verifyManifest(event, [pubkey], 'test') };
  }

  static async make(
    count: number,
    groups: readonly FixtureGroup[],
    environment: Record<string, string> = {},
  ): Promise<ProcessCluster> {
    const ports: number[] = [];
    while (ports.length < count) ports.push(await freePort());
    return new ProcessCluster(ports, groups, environment);
  }

  async start(i: number): Promise<void> {
    const dir = this.#dir(i);
    new TableCache(join(dir, 'table')).save(this.#applied);
    const key = join(this.#root, `${i}.key`);
    writeFileSync(key, this.#keys[i]!.secretKey, { mode: 0o600 });
    const child = fork(MAIN, {
      env: {
        ...process.env,
        COVEY_MEMBER_KEY_FILE: key,
        COVEY_MEMBER_DIR: dir,
        COVEY_LISTEN: `127.0.0.1:${this.#ports[i]}`,
        COVEY_PROFILE: 'local',
        COVEY_CLUSTER: 'test',
        COVEY_ROOTS: this.#authority.pubkey,
        COVEY_LOG: 'warn',
        ...this.#environment,
      },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#children[i] = child;
    await once(child, 'message');
  }

  /** As a power failure would end it; with `wipe` its disk is lost as well. */
  async kill(i: number, wipe = false): Promise<void> {
    const child = this.#children[i];
    this.#children[i] = undefined;
    if (child && child.exitCode === null) {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
    if (wipe) rmSync(this.#dir(i), { recursive: true, force: true });
  }

  /** The value of a metric, summed over its labels; over those that have `label` in them, if given. */
  async metric(i: number, name: string, label = ''): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#ports[i]}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .filter((line) => line.includes(label))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** Members that member `i` holds dead. */
  async dead(i: number): Promise<number> {
    return (
      (await this.metric(i % this.urls.length, 'covey_relay_members', 'dead')) +
      (await this.metric(i % this.urls.length, 'covey_relay_members', 'absent'))
    );
  }

  /** Every member runs, and all hold all alive and caught up. */
  async well(): Promise<boolean> {
    for (const i of this.urls.keys())
      if ((await this.metric(i, 'covey_relay_members', 'alive')) < this.urls.length) return false;
    return true;
  }

  /** Every member that runs has all that it should, as far as it knows. */
  async settled(): Promise<boolean> {
    for (const [i, child] of this.#children.entries())
      if (child)
        for (const name of ['covey_relay_filling_groups', 'covey_relay_spooled'])
          if ((await this.metric(i, name)) > 0) return false;
    return true;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((_, i) => this.kill(i)));
    rmSync(this.#root, { recursive: true, force: true });
  }

  #dir(i: number): string {
    return join(this.#root, `member-${i}`);
  }
}
