import { setTimeout as sleep } from 'node:timers/promises';

/** What `covey up` reads of `GET /v1/status`. */
export interface ClusterStatus {
  ready: boolean;
  epoch: number;
  accounts: number;
  follows: number;
  communities: number;
  members: { id: string; url: string; name: string; state: string; appliedEpoch: number | null }[];
}

const RETRY_MS = 100;
const ANSWER_MS_MAX = 5_000;

/**
 * Waits until the API serves a table that has the members' present URLs (after another COVEY_PORT it takes a new epoch)
 * and every member applies it.
 * @param members as members.json has them.
 * @returns the last status; `ready` is false, or a member lags, when `timeoutMs` passed first.
 */
export async function waitForEpoch(
  apiUrl: string,
  members: readonly { id: string; url: string }[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ClusterStatus | undefined> {
  const deadline = performance.now() + timeoutMs;
  let status: ClusterStatus | undefined;
  while (performance.now() < deadline && !signal.aborted) {
    status = (await getJson<ClusterStatus>(`${apiUrl}/v1/status`)) ?? status;
    if (status?.ready && hasUrlsOf(status, members) && laggards(status).length === 0) return status;
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
  }
  return status;
}

/** Whether the table has no other URL for a member than its present one. */
export function hasUrlsOf(status: ClusterStatus, members: readonly { id: string; url: string }[]): boolean {
  const urls = new Map(members.map(({ id, url }) => [id, url]));
  return status.members.every(({ id, url }) => (urls.get(id) ?? url) === url);
}

/** Members that do not apply the epoch yet. */
export function laggards({ epoch, members }: ClusterStatus): string[] {
  return members.filter(({ appliedEpoch }) => (appliedEpoch ?? 0) < epoch).map(({ name }) => name);
}

export async function getJson<T>(url: string): Promise<T | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined; // not listening yet
  }
}
