import { createRequire } from 'node:module';
import type { SchnorrVerifier } from '@covey/nostr';

/** The part of koffi that is used. */
interface Koffi {
  load(path: string): { func(prototype: string): (...args: unknown[]) => unknown };
}

/** Names under which systems install the library (with its schnorrsig module), newest first. */
const NAMES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: [
    'libsecp256k1.so.6',
    'libsecp256k1.so.5',
    'libsecp256k1.so.2',
    'libsecp256k1.so.1',
    'libsecp256k1.so',
  ],
  darwin: ['/opt/homebrew/lib/libsecp256k1.dylib', '/usr/local/lib/libsecp256k1.dylib', 'libsecp256k1.dylib'],
};
/** SECP256K1_CONTEXT_NONE: enough to verify with. */
const CONTEXT_NONE = 1;

/**
 * The system's own libsecp256k1, called through koffi.
 * @param path of the library; by its usual names when not given
 * @throws Error when koffi or the library is not there, or the library lacks its schnorrsig module
 */
export function loadLibrary(path?: string): SchnorrVerifier {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const library = open(koffi, path ? [path] : (NAMES[process.platform] ?? []));
  const createContext = library.func('void *secp256k1_context_create(unsigned int flags)');
  const parseKey = library.func(
    'int secp256k1_xonly_pubkey_parse(void *ctx, uint8_t *pubkey, const uint8_t *input32)',
  );
  const verifySignature = library.func(
    'int secp256k1_schnorrsig_verify(void *ctx, const uint8_t *sig64, const uint8_t *msg, size_t msglen, const uint8_t *pubkey)',
  );
  const context = createContext(CONTEXT_NONE);
  const key = new Uint8Array(64);
  return {
    name: 'libsecp256k1',
    verify: (message, publicKey, signature) =>
      parseKey(context, key, publicKey) === 1 &&
      verifySignature(context, signature, message, message.length, key) === 1,
  };
}

function open(koffi: Koffi, names: readonly string[]): ReturnType<Koffi['load']> {
  for (const name of names) {
    try {
      return koffi.load(name);
    } catch {
      // The next name.
    }
  }
  throw new Error(`no libsecp256k1 is installed (${names.join(', ')})`);
}
