import { parentPort, workerData } from 'node:worker_threads';
import { pickVerifier } from '@covey/verifier';
import { checkBatch } from './packed-batch.ts';

/** A thread that checks batches of signatures, one message each way. It tests its verifier itself. */
const { verifier } = pickVerifier(workerData ?? {});
parentPort!.on('message', (batch: Uint8Array) => {
  parentPort!.postMessage(checkBatch(batch, verifier));
});
