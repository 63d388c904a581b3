export { type NegentropyItem, NegentropyItems } from './items.ts';
export {
  answerReconciliation,
  continueReconciliation,
  type Differences,
  type FrameOptions,
  startReconciliation,
} from './reconcile.ts';
export { NegentropyError } from './wire.ts';
