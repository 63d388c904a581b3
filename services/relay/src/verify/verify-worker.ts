import { parentPort } from 'node:worker_threads';
import { checkSignature, type SignedText } from './check-signature.ts';

/** A thread that checks batches of signatures, one message each way. */
parentPort!.on('message', (batch: readonly SignedText[]) => {
  parentPort!.postMessage(Uint8Array.from(batch, checkSignature));
});
