import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectPostgres, MIGRATIONS, migrate, type Sql, storeLists } from '@covey/postgres';
import { encodeTable, PlacementTable, signCertificate } from '@covey/table';
import { newSigner, type Signer } from '../conformance/signer.ts';
import { freePort } from '../support/free-port.ts';
import { startNats, startPostgres, type TestNats, type TestPostgres } from '../support/servers.ts';

const RELAY = fileURLToPath(new URL('../../services/relay/src/main.ts', import.meta.url));
const COORDINATOR = fileURLToPath(new URL('../../services/coordinator/src/main.ts', import.meta.url));
const COPIES = 3;

/** PostgreSQL, NATS, a coordinator and members, each a process of its own. */
export class MoveCluster {
  readonly authors: Signer[];
  readonly urls: string[] = [];
  readonly sql: Sql;
  readonly #root = mkdtempSync(join(tmpdir(), 'covey-moves-'));
  readonly #keys: Signer[];
  readonly #ports: number[];
  readonly #postgres: TestPostgres;
  readonly #nats: TestNats;
  readonly #trusted = newSigner();
  readonly #children = new Map<number | 'coordinator', ChildProcess>();

  private constructor(
    postgres: TestPostgres,
    nats: TestNats,
    keys: Signer[],
    ports: number[],
    authors: number,
  ) {
    this.#postgres = postgres;
    this.#nats = nats;
    this.#keys = keys;
    this.#ports = ports;
    this.authors = Array.from({ length: authors }, () => newSigner());
    this.urls = ports.map((port) => `ws://127.0.0.1:${port}`);
    this.sql = connectPostgres(postgres.url, { application: 'chaos' });
  }

  static async make(members: number, authors: number): Promise<MoveCluster> {
    const keys = Array.from({ length: members }, () => newSigner());
    const ports: number[] = [];
    while (ports.length <= members) ports.push(await freePort());
    const postgres = await startPostgres();
    const nats = await startNats({ members: keys.map(({ pubkey }) => pubkey) });
    const cluster = new MoveCluster(postgres, nats, keys, ports.slice(0, members), authors);
    await cluster.#prepare(ports[members]!);
    return cluster;
  }

  async #prepare(coordinatorPort: number): Promise<void> {
    const coordinator = newSigner();
    const certificate = signCertificate(
      {
        cluster: this.#nats.cluster,
        coordinator: coordinator.pubkey,
        root: this.#trusted.pubkey,
        createdAt: 0,
        expiration: 4e9,
      },
      this.#trusted.secretKey,
    );
    const write = (name: string, text: string) =>
      writeFileSync(join(this.#root, name), text, { mode: 0o600 });
    write('coordinator.key', coordinator.secretKey);
    write('certificate.json', JSON.stringify(certificate));
    write('port', String(coordinatorPort));
    const members = this.#keys.map(({ pubkey }, i) => ({ id: pubkey, url: this.urls[i], operator: `${i}` }));
    write('members.json', JSON.stringify(members));
    this.#keys.forEach(({ secretKey }, i) => {
      write(`${i}.key`, secretKey);
    });
    this.#coordinatorPort = coordinatorPort;
    await migrate(this.sql, MIGRATIONS);
    // Everybody follows everybody, so that all are placed.
    const keys = this.authors.map(({ pubkey }) => Buffer.from(pubkey, 'hex'));
    await storeLists(
      this.sql,
      keys.map((key, i) => ({
        type: 'follows' as const,
        pubkey: new Uint8Array(key),
        createdAt: 10,
        id: (i + 1).toString(16).padStart(64, '0'),
        signed: true,
        source: 'test',
        followees: Buffer.concat(keys.filter((other) => other !== key)),
      })),
    );
  }

  #coordinatorPort = 0;

  async start(who: number | 'coordinator'): Promise<void> {
    const common = {
      ...process.env,
      COVEY_PROFILE: 'local',
      COVEY_CLUSTER: this.#nats.cluster,
      COVEY_LOG: process.env['COVEY_LOG'] ?? 'error',
      NATS_URL: this.#nats.url,
    };
    const file = (name: string) => join(this.#root, name);
    const child =
      who === 'coordinator'
        ? fork(COORDINATOR, {
            env: {
              ...common,
              DATABASE_URL: this.#postgres.url,
              NATS_NKEY_FILE: this.#nats.nkeyFile('coordinator'),
              COVEY_COORDINATOR_KEY_FILE: file('coordinator.key'),
              COVEY_CERTIFICATE_FILE: file('certificate.json'),
              COVEY_MEMBERS_FILE: file('members.json'),
              COVEY_LISTEN: `127.0.0.1:${this.#coordinatorPort}`,
              COVEY_HOME: file('home'),
              COVEY_PLAN_TTL_S: '1',
              COVEY_MOVES_STEP_MS: '100',
              COVEY_MOVES_ACCOUNTS_MAX: '10000',
              // The writers never rest.
              COVEY_MOVES_HUB_WAIT_S: '1',
              COVEY_PLACE_EVERY_S: '10',
            },
            stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
          })
        : fork(RELAY, {
            env: {
              ...common,
              NATS_NKEY_FILE: this.#nats.nkeyFile(this.#keys[who]!.pubkey),
              COVEY_MEMBER_KEY_FILE: file(`${who}.key`),
              COVEY_MEMBER_DIR: file(`member-${who}`),
              COVEY_LISTEN: `127.0.0.1:${this.#ports[who]}`,
              COVEY_ROOTS: this.#trusted.pubkey,
              COVEY_VERIFY_THREADS: '0',
            },
            stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
          });
    this.#children.set(who, child);
    await once(child, 'message');
  }

  async kill(who: number | 'coordinator'): Promise<void> {
    const child = this.#children.get(who);
    this.#children.delete(who);
    if (!child || child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** Number of the member with this public key. */
  numberOf(id: string): number {
    return this.#keys.findIndex(({ pubkey }) => pubkey === id);
  }

  /** The table of the last epoch; undefined before the first. */
  async table(): Promise<PlacementTable | undefined> {
    const rows = await this.sql<
      { table_bytes: Uint8Array }[]
    >`select table_bytes from epochs order by epoch desc limit 1`;
    return rows[0] && new PlacementTable(new Uint8Array(rows[0].table_bytes));
  }

  /** Makes a target that takes every author whose number `chosen` lets through to other members. @returns how many */
  async moveAuthors(chosen: (i: number) => boolean): Promise<number> {
    const current = (await this.table())!;
    const content = current.content();
    const groups = content.groups.slice();
    const prefixes = content.rows.prefixes.slice();
    let moved = 0;
    this.authors.forEach(({ pubkey }, i) => {
      if (!chosen(i)) return;
      const { members } = current.locate(pubkey);
      const count = current.members.length;
      // One member stays, the others are the next ones round.
      const list = [members[0]!];
      for (let step = 1; list.length < COPIES; step++) {
        const next = (members.at(-1)! + step) % count;
        if (!list.includes(next)) list.push(next);
      }
      const group = groups.push({ members: list.reverse(), copies: COPIES, hub: false, pinned: false }) - 1;
      const at = rowOf(prefixes, pubkey);
      new DataView(prefixes.buffer).setUint32(at + 10, group, true);
      moved++;
    });
    const rows = { ...content.rows, prefixes };
    const target = new PlacementTable(encodeTable({ ...content, groups, moves: [], rows }));
    await this.sql`
      update placement_target set table_bytes = ${Buffer.from(target.bytes)}, root = ${target.root}, since = now()`;
    return moved;
  }

  /** A member asks to go: it is drained, and let go once no list names it. */
  async leave(i: number): Promise<void> {
    await this.sql`update members set state = 'draining', leaving = true where id = ${this.#keys[i]!.pubkey}`;
  }

  /** Whether a member has left, and the table has dropped it. */
  async hasLeft(i: number): Promise<boolean> {
    const id = this.#keys[i]!.pubkey;
    const rows = await this.sql<{ state: string }[]>`select state from members where id = ${id}`;
    return rows[0]?.state === 'left' && (await this.table())?.memberIndex(id) === undefined;
  }

  /** Whether nothing moves, and the last epoch says of every author what the target says. */
  async arrived(): Promise<boolean> {
    const table = await this.table();
    const rows = await this.sql<{ table_bytes: Uint8Array }[]>`select table_bytes from placement_target`;
    if (!table || !rows[0] || table.moves().length > 0) return false;
    const target = new PlacementTable(new Uint8Array(rows[0].table_bytes));
    return this.authors.every(
      ({ pubkey }) => target.locate(pubkey).members.join() === table.locate(pubkey).members.join(),
    );
  }

  /** Where the accounts are and where they go, for the text of a failure. */
  async state(): Promise<string> {
    const table = await this.table();
    const targets = await this.sql<
      { table_bytes: Uint8Array; since: Date; phases: unknown }[]
    >`select table_bytes, since, phases from placement_target`;
    const target = targets[0] && new PlacementTable(new Uint8Array(targets[0].table_bytes));
    const lines = [
      `epoch ${table?.epoch}; moves ${JSON.stringify(table?.moves().map(({ group, phase, from }) => ({ group, phase, from: from.members, to: table.group(group).members })))}`,
      `target since ${targets[0]?.since.toISOString()}, phases ${JSON.stringify(targets[0]?.phases)}`,
      ...this.authors.map(
        ({ pubkey }, i) =>
          `author ${i}: ${table?.locate(pubkey).members.join()} → ${target?.locate(pubkey).members.join()}`,
      ),
    ];
    for (const { id, state } of await this.sql<
      { id: string; state: string }[]
    >`select id, state from members`)
      lines.push(`member ${this.numberOf(id)}: ${state}`);
    return lines.join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((who) => this.kill(who)));
    await this.sql.end();
    await this.#nats.stop();
    await this.#postgres.stop();
    rmSync(this.#root, { recursive: true, force: true });
  }
}

function rowOf(prefixes: Uint8Array, pubkey: string): number {
  const wanted = Buffer.from(pubkey.slice(0, 20), 'hex');
  for (let at = 0; at < prefixes.length; at += 14)
    if (wanted.equals(prefixes.subarray(at, at + 10))) return at;
  throw new Error(`${pubkey} is not listed`);
}
