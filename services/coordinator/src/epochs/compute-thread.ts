import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { memoryPlan } from '@covey/graph';
import { checkMemory } from '@covey/threads';
import { type ComputedEpoch, computeEpoch } from './compute-epoch.ts';
import { type ExplanationChunk, explanationChunks } from './explanations.ts';
import type { EpochInputs } from './inputs.ts';
import { type EpochReport, reportEpoch } from './report.ts';

export interface ThreadResult {
  computed: Omit<ComputedEpoch, 'placement' | 'searched' | 'explainer'>;
  report: EpochReport;
  explanations: ExplanationChunk[];
}

type Message =
  | { type: 'phase'; phase: string; done: number; total: number }
  | { type: 'result'; result: ThreadResult }
  | { type: 'error'; name: string; message: string };

/** The placement of an epoch failed; `message` says which constraint, and what to do. */
export class PlacementFailedError extends Error {
  override name = 'PlacementFailedError';
}

/**
 * Computes an epoch on a thread of its own, so that the coordinator goes on renewing its lease and answering. One that the
 * machine has no memory for is refused before it begins: the last table stays.
 * @throws PlacementFailedError, or the signal's reason when it is aborted
 */
export async function computeOnThread(
  inputs: EpochInputs,
  onPhase: (phase: string, done: number, total: number) => void,
  signal: AbortSignal,
): Promise<ThreadResult> {
  const { nodes: accounts, edges: follows } = inputs.graph;
  const plan = memoryPlan({ accounts, follows, members: inputs.members.length });
  const { verdict, text } = checkMemory(plan.peak, `placing ${accounts} accounts with ${follows} follows`);
  if (verdict === 'exceeds') throw new PlacementFailedError(text);
  const worker = new Worker(new URL(import.meta.url), { workerData: inputs });
  try {
    return await new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      worker.on('message', (message: Message) => {
        if (message.type === 'phase') onPhase(message.phase, message.done, message.total);
        else if (message.type === 'result') resolve(message.result);
        else reject(new PlacementFailedError(`${message.name}: ${message.message}`));
      });
      worker.on('error', reject);
      worker.on('exit', (code) =>
        reject(new PlacementFailedError(`the placement thread ended with code ${code}`)),
      );
    });
  } finally {
    await worker.terminate();
  }
}

if (!isMainThread && parentPort) {
  const post = (message: Message) => parentPort!.postMessage(message);
  try {
    const inputs = workerData as EpochInputs;
    const { placement, searched, explainer, ...computed } = computeEpoch(
      inputs,
      () => performance.now(),
      (phase, done, total) => post({ type: 'phase', phase, done, total }),
    );
    const { communities, modularity } = computed;
    const report = reportEpoch({ searched, communities, placement, explainer, modularity }, inputs.members);
    post({ type: 'phase', phase: 'explain', done: 0, total: 1 });
    const explanations = [...explanationChunks(inputs, { searched, placement, explainer })];
    post({ type: 'result', result: { computed, report, explanations } });
  } catch (error) {
    post({ type: 'error', name: (error as Error).name, message: (error as Error).message });
  }
}
