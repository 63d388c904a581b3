export {
  type FoundVerifier,
  findVerifiers,
  pickVerifier,
  VERIFIERS,
  type VerifierName,
} from './find-verifiers.ts';
export { selfTest } from './self-test.ts';
