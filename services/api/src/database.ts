import { gunzipSync } from 'node:zlib';
import {
  connectPostgres,
  listCoordinators,
  listMembers,
  listProbes,
  readControls,
  readLog,
  type Sql,
} from '@covey/postgres';
import type { OwnRelayList } from './account-origins.ts';
import {
  type AccountExplanation,
  type Authority,
  type ClusterReader,
  DatabaseUnavailableError,
  type EpochReport,
  type EpochRow,
} from './cluster-reader.ts';

/** A question that is not answered by then counts as "database away": no client waits on a connection that hangs. */
const ANSWER_MS_MAX = 3_000;
/** Questions under way at once; more are turned away rather than queued. */
const QUESTIONS_MAX = 32;
/** Relay lists read at once: other requests get a turn in between. */
const LISTS_PAGE = 2_000;

/** The coordinator's PostgreSQL, read only. It connects when first asked, and again after a failure. */
export class ApiDatabase implements ClusterReader {
  readonly #sql: Sql;
  #asking = 0;

  constructor(url: string) {
    this.#sql = connectPostgres(url, { application: 'covey api' });
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }

  async followeesOf(pubkey: string): Promise<string[] | undefined> {
    const key = Buffer.from(pubkey, 'hex');
    // A list of account ids, little-endian u32 each.
    const [list] = await this.#ask(
      this.#sql<{ followees: Buffer }[]>`
        select l.followees from follow_lists l join accounts a on a.id = l.account_id where a.pubkey = ${key}`,
    );
    if (!list) return undefined;
    const ids: number[] = [];
    for (let at = 0; at + 4 <= list.followees.length; at += 4) ids.push(list.followees.readUInt32LE(at));
    const accounts = await this.#ask(
      this.#sql<{ pubkey: Buffer }[]>`
        select a.pubkey from unnest(${ids}::integer[]) with ordinality as f (id, n) join accounts a using (id) order by n`,
    );
    return accounts.map((account) => account.pubkey.toString('hex'));
  }

  async *relayLists(): AsyncIterable<OwnRelayList[]> {
    for (let after = 0; ; ) {
      // Accounts' own relay lists (NIP-65) by account id, from the first after `after`: the URLs that they write to.
      const rows = await this.#ask(
        this.#sql<{ id: number; pubkey: Buffer; write: string[] }[]>`
          select a.id, a.pubkey,
                 array(select e->>'url' from jsonb_array_elements(l.entries) e where (e->>'write')::boolean) as write
          from relay_lists l join accounts a on a.id = l.account_id
          where l.account_id > ${after} order by l.account_id limit ${LISTS_PAGE}`,
      );
      if (rows.length > 0) yield rows.map(({ pubkey, write }) => ({ pubkey, write }));
      if (rows.length < LISTS_PAGE) return;
      after = rows.at(-1)!.id;
    }
  }

  async epochs({ before, limit }: { before: number | undefined; limit: number }): Promise<EpochRow[]> {
    // Newest first, from `before` downwards.
    const rows = await this.#ask(
      this.#sql<(Omit<EpochRow, 'createdAt'> & { createdAt: number })[]>`
        select epoch::float8 as epoch, created_at::float8 as "createdAt", root, accounts, groups, moved,
               manifest_id as "manifestId"
        from epochs where epoch < ${before ?? Number.MAX_SAFE_INTEGER} order by epoch desc limit ${limit}`,
    );
    return rows.map((row) => ({ ...row, createdAt: new Date(row.createdAt * 1000).toISOString() }));
  }

  async explanation(
    pubkey: string,
    epoch: number,
  ): Promise<{ epoch: number; account: AccountExplanation } | undefined> {
    const key = Buffer.from(pubkey, 'hex');
    // The row of some 256 accounts in which the key would be.
    const [row] = await this.#ask(
      this.#sql<{ epoch: number; accounts: Buffer }[]>`
        select epoch::float8 as epoch, accounts from epoch_explanations
        where first_key <= ${key} and epoch <= ${epoch} order by first_key desc limit 1`,
    );
    if (!row) return undefined;
    const accounts = JSON.parse(gunzipSync(row.accounts).toString()) as AccountExplanation[];
    const account = accounts.find((one) => one.pubkey === pubkey);
    return account && { epoch: row.epoch, account };
  }

  async report(epoch: number): Promise<{ epoch: number; report: EpochReport } | undefined> {
    const [row] = await this.#ask(
      this.#sql<{ epoch: number; report: StoredReport }[]>`
        select epoch::float8 as epoch, report from epoch_reports where epoch <= ${epoch} order by epoch desc limit 1`,
    );
    return row && { epoch: row.epoch, report: readReport(row.report) };
  }

  async authority(logLimit: number): Promise<Authority> {
    const sql = this.#sql;
    const read = async (): Promise<Authority> => {
      const [members, probes, coordinators, { paused }, log] = await Promise.all([
        listMembers(sql),
        listProbes(sql),
        listCoordinators(sql),
        readControls(sql),
        readLog(sql, { limit: logLimit }),
      ]);
      return {
        members: members.map((member) => ({ ...member, probes: probes.get(member.id) ?? [] })),
        coordinators,
        paused: paused ?? null,
        // The signed orders themselves are for covey log.
        log: log.map(({ event: _, ...entry }) => entry),
      };
    };
    return await this.#ask(Object.assign(read(), { cancel() {} }));
  }

  /** @throws DatabaseUnavailableError also for a schema that is not there yet: the coordinator makes it. */
  async #ask<T>(query: PromiseLike<T> & { cancel(): void }): Promise<T> {
    if (this.#asking >= QUESTIONS_MAX)
      throw new DatabaseUnavailableError('too many questions to the database at once');
    this.#asking++;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new DatabaseUnavailableError(`no answer from the database in ${ANSWER_MS_MAX} ms`));
        query.cancel();
      }, ANSWER_MS_MAX);
    });
    try {
      return await Promise.race([query, deadline]);
    } catch (cause) {
      if (cause instanceof DatabaseUnavailableError) throw cause;
      throw new DatabaseUnavailableError('the database failed', { cause });
    } finally {
      clearTimeout(timer);
      this.#asking--;
    }
  }
}

/** As the coordinator writes it: names may be missing, and figures stand beside the rest. */
type StoredReport = Partial<Omit<EpochReport, 'communities' | 'moved'>> & {
  moved?: Omit<EpochReport['moved'], 'byMember'> & Partial<EpochReport['moved']>;
  communities?: (Omit<EpochReport['communities'][number], 'label' | 'top'> & {
    label?: string | null;
    top: { pubkey: string; name?: string | null; followers: number }[];
  })[];
  modularity?: number;
};

function readReport({
  communities = [],
  edges = [],
  moved,
  members = [],
  figures,
  modularity,
  ms = {},
  trust = null,
}: StoredReport): EpochReport {
  return {
    communities: communities.map((community) => ({
      ...community,
      label: community.label ?? '',
      top: community.top.map(({ pubkey, name, followers }) => ({ pubkey, name: name ?? '', followers })),
    })),
    edges,
    moved: { accounts: 0, byReason: {}, byMember: [], ...moved },
    members: members.map((member) => ({
      ...member,
      connections: member.connections ?? 0,
      reads: member.reads ?? 0,
    })),
    trust,
    figures: { ...(modularity === undefined ? {} : { modularity }), ...figures },
    ms,
  };
}
