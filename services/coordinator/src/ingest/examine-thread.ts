import { parentPort } from 'node:worker_threads';
import { type ExamineOptions, examine } from './examine.ts';
import type { RecordBlock } from './source-chunk.ts';

export interface ExamineRequest {
  block: RecordBlock;
  now: number;
  options: ExamineOptions;
}

// One request, one answer, in order: the pool gives a thread one block at a time.
parentPort?.on('message', ({ block, now, options }: ExamineRequest) => {
  parentPort?.postMessage(examine(block, now, options));
});
