import { existsSync, mkdirSync } from 'node:fs';
import {
  checkPrivateDirectory,
  generateSecretKey,
  type HomePaths,
  readSecretFile,
  readSecretKeyFile,
  SecretFileError,
  writeSecretFile,
} from '@covey/config';
import { createNkey, InvalidNkeyError, publicNkey } from '@covey/nats';
import { publicKeyOf } from '@covey/nostr';
import type { TableMember } from '@covey/table';
import { checkCertificate, writeCertificate } from './certificate-file.ts';
import { damaged } from './damaged.ts';
import { followPorts, newMember, readMembers, writeMembers } from './members-file.ts';
import { MEMBERS, type Ports } from './settings.ts';

/** Who the cluster is: keys, certificate and members, as the home has them. */
export interface Identity {
  /** Root public key, hex. */
  root: string;
  /** Everybody in members.json. */
  members: TableMember[];
  /** Those of them whose keys are here: they are run. `n` counts from 1. */
  ownMembers: { n: number; member: TableMember }[];
  /** Public nkeys of the NATS users: `coordinator`, `api`, and members by their public key. */
  nkeys: Map<string, string>;
}

const NATS_USERS = ['coordinator', 'api', ...Array.from({ length: MEMBERS }, (_, i) => `member-${i + 1}`)];

/** Makes the keys and files of a new home. The root key comes last: a home that has one is complete. */
export function createIdentity(paths: HomePaths, cluster: string, ports: Ports, nowS: number): void {
  mkdirSync(paths.keysDir, { recursive: true, mode: 0o700 });
  const [rootKey, coordinatorKey] = [generateSecretKey(), generateSecretKey()];
  const members: TableMember[] = [];
  for (let n = 1; n <= MEMBERS; n++) {
    const secretKey = generateSecretKey();
    writeSecretFile(paths.memberKeyFile(n), `${secretKey}\n`);
    members.push(newMember(n, publicKeyOf(secretKey), ports));
  }
  for (const user of NATS_USERS) writeSecretFile(paths.nkeyFile(user), `${createNkey().seed}\n`);
  writeSecretFile(paths.coordinatorKeyFile, `${coordinatorKey}\n`);
  writeSecretFile(paths.postgresPasswordFile, `${generateSecretKey()}\n`);
  writeCertificate(paths, { rootKey, coordinator: publicKeyOf(coordinatorKey), cluster, nowS });
  writeMembers(paths, members);
  writeSecretFile(paths.rootKeyFile, `${rootKey}\n`);
}

/** Whether the home has no keys yet. @throws UpError when data is there and the keys that belong to it are not. */
export function isNewHome(paths: HomePaths): boolean {
  if (existsSync(paths.rootKeyFile)) return false;
  const data = [paths.postgresDir, paths.natsDir].find((path) => existsSync(path));
  if (!data) return true;
  const what = `${paths.rootKeyFile} is missing, and ${data} is there: keys and data belong together.`;
  throw damaged(paths.root, what, `restore ${paths.keysDir} from a backup`);
}

/**
 * Reads the identity of a home. Changes members' URLs, which follow the ports, and an ending certificate; when it throws,
 * it has changed nothing. @throws UpError that names the file, what is wrong with it and what to do.
 */
export function loadIdentity(paths: HomePaths, cluster: string, ports: Ports, nowS: number): Identity {
  try {
    checkPrivateDirectory(paths.keysDir);
    const rootKey = readSecretKeyFile(paths.rootKeyFile);
    const coordinator = publicKeyOf(readSecretKeyFile(paths.coordinatorKeyFile));
    readSecretFile(paths.postgresPasswordFile);
    const own = ownMemberNumbers(paths);
    const nkeys = readNkeys(paths, own);
    const before = readMembers(paths);
    checkCertificate(paths, { rootKey, coordinator, cluster, nowS });
    const members = followPorts(before, own, ports, nkeys);
    if (JSON.stringify(members) !== JSON.stringify(before)) writeMembers(paths, members);
    const ownMembers = members.flatMap((member) => {
      const n = own.get(member.id);
      return n ? [{ n, member }] : [];
    });
    return { root: publicKeyOf(rootKey), members, ownMembers, nkeys };
  } catch (error) {
    if (!(error instanceof SecretFileError)) throw error;
    throw damaged(paths.root, `${error.message}.`, 'put that right, or restore it from a backup', error);
  }
}

/** Member number by public key. */
function ownMemberNumbers(paths: HomePaths): Map<string, number> {
  const own = new Map<string, number>();
  for (let n = 1; n <= MEMBERS; n++) own.set(publicKeyOf(readSecretKeyFile(paths.memberKeyFile(n))), n);
  return own;
}

function readNkeys(paths: HomePaths, own: ReadonlyMap<string, number>): Map<string, string> {
  const memberIds = new Map([...own].map(([id, n]) => [`member-${n}`, id]));
  return new Map(NATS_USERS.map((user) => [memberIds.get(user) ?? user, nkeyIn(paths.nkeyFile(user))]));
}

function nkeyIn(path: string): string {
  try {
    return publicNkey(readSecretFile(path));
  } catch (cause) {
    if (!(cause instanceof InvalidNkeyError)) throw cause;
    throw new SecretFileError(`${path} holds no nkey seed`, { cause });
  }
}
