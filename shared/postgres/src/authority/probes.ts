import type { Sql, TransactionSql } from '../index.ts';

type Tx = Sql | TransactionSql;

export const PROBE_OUTCOMES = ['ok', 'unreachable', 'astray'] as const;
export type ProbeOutcome = (typeof PROBE_OUTCOMES)[number];

export interface Probe {
  outcome: ProbeOutcome;
  /** What was wrong, for people. */
  detail: string;
  /** From sending an event to its OK; absent when there was none. */
  ms?: number | undefined;
}

/** Outcomes that are kept of each member. */
export const PROBES_KEPT = 16;

export async function storeProbe(tx: Tx, member: string, { outcome, detail, ms }: Probe): Promise<void> {
  await tx`
    insert into probes (member, outcome, detail, ms) values (${member}, ${outcome}, ${detail}, ${ms ?? null})`;
  await tx`
    delete from probes where member = ${member} and id not in (
      select id from probes where member = ${member} order by id desc limit ${PROBES_KEPT})`;
}

/** The kept outcomes of every member, newest first. */
export async function listProbes(sql: Tx): Promise<Map<string, (Probe & { at: string })[]>> {
  const rows = await sql<
    { member: string; at: Date; outcome: ProbeOutcome; detail: string; ms: number | null }[]
  >`select member, at, outcome, detail, ms from probes order by id desc`;
  const byMember = new Map<string, (Probe & { at: string })[]>();
  for (const { member, at, outcome, detail, ms } of rows) {
    const list = byMember.get(member) ?? [];
    list.push({ at: at.toISOString(), outcome, detail, ms: ms ?? undefined });
    byMember.set(member, list);
  }
  return byMember;
}

/** Whether an admin reinstated the member in the last `days`: probes then only show, and suspend nobody. */
export async function isExempt(sql: Tx, member: string, days: number): Promise<boolean> {
  const rows = await sql`
    select 1 from authority_log where action = 'reinstate' and subject = ${member}
      and at > now() - ${days} * interval '1 day' limit 1`;
  return rows.length > 0;
}
