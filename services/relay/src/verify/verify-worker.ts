import { parentPort, workerData } from 'node:worker_threads';
import { pickVerifier } from '@covey/verifier';
import { checkSignature, type SignedText } from './check-signature.ts';

/** A thread that checks batches of signatures, one message each way. It tests its verifier itself. */
const { verifier } = pickVerifier(workerData ?? {});
parentPort!.on('message', (batch: readonly SignedText[]) => {
  parentPort!.postMessage(Uint8Array.from(batch, (signed) => checkSignature(signed, verifier)));
});
