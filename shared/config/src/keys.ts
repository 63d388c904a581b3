import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseSecretKey, publicKeyOf } from '@covey/nostr';

/** A file that holds a secret can't be read, can be read by others, or holds something else. Says what to do. */
export class SecretFileError extends Error {
  override name = 'SecretFileError';
}

/** Bits that a file of one's own must not have. */
const OTHERS = 0o077;
/**
 * Bits that a file of root's must not have, which another user reads by its group: so systemd, Kubernetes and others hand
 * out secrets. The rule is PostgreSQL's for its keys.
 */
const OTHERS_OF_ROOT = 0o037;

/** Writes a secret: mode 0600 from the first byte, in a directory of mode 0700, complete or not at all. */
export function writeSecretFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const half = `${path}.${process.pid}.half`;
  writeFileSync(half, text, { mode: 0o600 });
  renameSync(half, path);
}

/** Reads a secret. @throws SecretFileError when others than its owner may read it, or nobody can. */
export function readSecretFile(path: string): string {
  try {
    const { mode: bits, uid } = statSync(path);
    const mode = bits & 0o777;
    const handedOut = uid === 0 && process.geteuid?.() !== 0;
    if (mode & (handedOut ? OTHERS_OF_ROOT : OTHERS))
      throw new SecretFileError(
        `${path} holds a secret and others than its owner may use it (mode ${mode.toString(8)}): run chmod 600 ${path}, and make a new one if somebody may have read it`,
      );
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof SecretFileError) throw error;
    throw new SecretFileError(`${path} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws SecretFileError when others may look into the directory. */
export function checkPrivateDirectory(path: string): void {
  const mode = statSync(path).mode & 0o777;
  if (mode & OTHERS)
    throw new SecretFileError(
      `${path} holds keys and others than its owner may enter it (mode ${mode.toString(8)}): run chmod 700 ${path}`,
    );
}

/** A new Nostr secret key, hex. */
export function generateSecretKey(): string {
  for (;;) {
    const secretKey = randomBytes(32).toString('hex');
    try {
      publicKeyOf(secretKey);
      return secretKey;
    } catch {
      // Not a valid scalar (one in 2^128): draw again.
    }
  }
}

/** The Nostr secret key (hex) in a file of 64 hex digits or an nsec. @throws SecretFileError */
export function readSecretKeyFile(path: string): string {
  const text = readSecretFile(path);
  try {
    const secretKey = parseSecretKey(text);
    publicKeyOf(secretKey);
    return secretKey;
  } catch (cause) {
    throw new SecretFileError(`${path} holds no secret key (64 hex digits or an nsec)`, { cause });
  }
}
