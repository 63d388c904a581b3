import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DEFAULT_LIMITS,
  FixedTable,
  type Limits,
  openMemberStore,
  Relay,
  type RelayConfig,
} from '@covey/relay';
import { type FixtureGroup, fixtureTable } from '../conformance/placement-fixture.ts';
import { newSigner, type Signer } from '../conformance/signer.ts';
import { freePort } from '../support/free-port.ts';

const quiet = { info() {}, warn() {}, error: console.error, debug() {} };

export interface TestMember {
  key: Signer;
  url: string;
  port: number;
  dir: string;
  relay: Relay | undefined;
  tables: FixedTable;
  /** Starts it, again after `stop`, with its folder as it is. */
  start(changes?: Partial<RelayConfig>, options?: { followsTable?: boolean }): Promise<Relay>;
  stop(): Promise<void>;
}

/** Members in this process, with a folder and a port each, that share tables given by hand. */
export class TestCluster {
  readonly members: TestMember[];
  readonly #dir: string;
  readonly #slotMembers: number[];
  #epoch = 0;

  private constructor(dir: string, members: TestMember[], slotMembers: number[]) {
    this.#dir = dir;
    this.members = members;
    this.#slotMembers = slotMembers;
  }

  static async make(
    count: number,
    options: { limits?: Partial<Limits>; slotMembers?: number[] } = {},
  ): Promise<TestCluster> {
    const dir = mkdtempSync(join(tmpdir(), 'covey-relay-'));
    const members: TestMember[] = [];
    for (let i = 0; i < count; i++) members.push(await makeMember(join(dir, `member-${i}`), options.limits));
    return new TestCluster(dir, members, options.slotMembers ?? [0]);
  }

  /** The next epoch with these groups, given to every member. */
  place(groups: readonly FixtureGroup[]): void {
    const table = this.table(groups);
    for (const member of this.members) member.tables.set(table);
  }

  table(groups: readonly FixtureGroup[]) {
    const members = this.members.map(({ key, url }) => ({ id: key.pubkey, url }));
    return fixtureTable({ members, groups, slotMembers: this.#slotMembers, epoch: ++this.#epoch });
  }

  async startAll(changes?: Partial<RelayConfig>): Promise<void> {
    for (const member of this.members) await member.start(changes);
  }

  /** Until all members that run hold each other alive, and have caught up: then the table holds as it is. */
  async well(): Promise<void> {
    await until(
      'members that know each other alive',
      () => this.members.every(({ relay }) => !relay || relay.clusterField().verdicts === undefined),
      30_000,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

async function makeMember(dir: string, limits: Partial<Limits> = {}): Promise<TestMember> {
  const key = newSigner();
  const port = await freePort();
  const member: TestMember = {
    key,
    port,
    url: `ws://127.0.0.1:${port}`,
    dir,
    relay: undefined,
    tables: new FixedTable(),
    async start(changes = {}, { followsTable = false } = {}) {
      const config: RelayConfig = {
        secretKey: key.secretKey,
        dir,
        listen: { host: '127.0.0.1', port },
        publicUrl: undefined,
        cluster: 'test',
        writes: 'forward',
        profile: 'local',
        apiUrl: undefined,
        name: undefined,
        limits: { ...DEFAULT_LIMITS, ...limits },
        ...changes,
      };
      member.relay = new Relay({
        config,
        tables: member.tables,
        followsTable,
        store: await openMemberStore(config, Date.now),
        log: quiet,
      });
      await member.relay.start();
      return member.relay;
    },
    async stop() {
      await member.relay?.stop();
      member.relay = undefined;
    },
  };
  return member;
}

/** Waits until `check` gives something; the condition is the clock. */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 10_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
