/** What a run will hold at its peak, in bytes, by step. Known before anything but the sizes is. */
export interface MemoryPlan {
  /** the follow graph itself */
  graph: number;
  /** the most that detection of communities holds, with the graph */
  detect: number;
  /** the most that a placement holds, with the graph */
  place: number;
  /** the larger of the two, and what the process needs anyhow */
  peak: number;
}

export interface PlannedRun {
  accounts: number;
  follows: number;
  /** members to place on; none when only communities are looked for */
  members?: number;
  threads?: number;
}

/** Node with the program loaded, its compiled code, and the garbage that it has not collected yet. */
const processBytes = 110e6;
const threadBytes = 30e6;
/** Follows that a placement's search sees at most, by default. */
const searchFollows = 16e6;

/**
 * Estimates the peak of a run from its sizes alone. Bytes a follow: the graph 4; detection 4 for the followers, 8 for the
 * symmetric rows and some 6 that the levels above fill; a placement 4 for the followers and, for what its search
 * sees, 4 more and two for each member and reader. Bytes an account: 120 for detection's arrays, 16 more a thread, 130
 * for lists and groups.
 */
export function memoryPlan({ accounts, follows, members, threads = 1 }: PlannedRun): MemoryPlan {
  const graph = 4 * follows + 4 * accounts;
  const detect = graph + 18 * follows + (120 + 16 * threads) * accounts;
  const seen = Math.min(follows, searchFollows);
  const readers = Math.min(accounts, seen / 5);
  const place =
    members === undefined ? 0 : graph + 4 * follows + 8 * seen + 2.2 * members * readers + 130 * accounts;
  const peak = Math.max(detect, place) + processBytes + threadBytes * (threads - 1);
  return { graph, detect, place, peak };
}
