import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export interface User {
  uid: number;
  gid: number;
}

/** "nobody" on most systems. It need not exist by name. */
const NOBODY: User = { uid: 65534, gid: 65534 };

/** PostgreSQL refuses to run as root. Whom to run it as, or undefined when this process is no root. */
export function postgresUser(): User | undefined {
  return process.geteuid?.() === 0 ? NOBODY : undefined;
}

/** Whether `user` may enter `directory` and every directory above it (by mode bits; access lists are not looked at). */
export function canEnter(user: User, directory: string): boolean {
  for (let path = resolve(directory); ; path = dirname(path)) {
    const { uid, gid, mode } = statSync(path);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if (!(mode & bit)) return false;
    if (path === dirname(path)) return true;
  }
}
