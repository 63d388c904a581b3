import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';

export interface User {
  uid: number;
  gid: number;
}

/** "nobody" on most systems. */
const NOBODY: User = { uid: 65534, gid: 65534 };

/** PostgreSQL refuses to run as root. Whom to run it as, or undefined when this process is no root. */
export function postgresUser(): User | undefined {
  return process.geteuid?.() === 0 ? nobodyIn(readPasswd()) : undefined;
}

/** "nobody" of an /etc/passwd. initdb insists that its user has an entry there. */
export function nobodyIn(passwd: string): User {
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    // macOS has it as -2.
    if (name === 'nobody') return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
  }
  return NOBODY;
}

function readPasswd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

/** Whether this process's user has a name: in a container it may be a bare number. */
export function hasName(): boolean {
  try {
    userInfo();
    return true;
  } catch {
    return false;
  }
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
