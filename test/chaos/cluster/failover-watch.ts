import { PlacementTable } from '@covey/table';
import type { ChaosCluster } from './chaos-cluster.ts';

/** Times the replacement of masters: from SIGKILL to the next acknowledged write of their accounts at another member. */
export class FailoverWatch {
  readonly tookMs: number[] = [];
  readonly #cluster: ChaosCluster;
  readonly #accounts: readonly string[];
  #masters = new Map<string, string>();
  readonly #waiting = new Map<string, { sinceMs: number; member: number }>();

  constructor(cluster: ChaosCluster, accounts: readonly string[]) {
    this.#cluster = cluster;
    this.#accounts = accounts;
  }

  /** Who is the master of whom, by the table of now. Without PostgreSQL, as it was. */
  async remember(): Promise<void> {
    const table = await lastTable(this.#cluster).catch(() => undefined);
    if (!table) return;
    this.#masters = new Map(
      this.#accounts.map((account) => {
        const group = table.group(table.groupOf(Buffer.from(account, 'hex')));
        return [account, table.members[group.members[0]!]!.id];
      }),
    );
  }

  died(member: number): void {
    const { id } = this.#cluster.members[member]!;
    const sinceMs = performance.now();
    for (const [account, master] of this.#masters)
      if (master === id) this.#waiting.set(account, { sinceMs, member });
  }

  /** An acknowledged write. Those that were in flight at the kill count from the kill as well. */
  wrote(account: string, member: number): void {
    const waiting = this.#waiting.get(account);
    if (!waiting || waiting.member === member) return;
    this.#waiting.delete(account);
    this.tookMs.push(Math.round(performance.now() - waiting.sinceMs));
  }
}

async function lastTable({ sql }: ChaosCluster): Promise<PlacementTable | undefined> {
  const [row] =
    await sql`select table_bytes from epochs where table_bytes is not null order by epoch desc limit 1`;
  return row && new PlacementTable(new Uint8Array(row['table_bytes']));
}
