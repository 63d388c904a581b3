import { renameSync, writeFileSync } from 'node:fs';
import type { HomePaths } from '@covey/config';
import { isHex64 } from '@covey/nostr';
import type { TableMember } from '@covey/table';
import { damaged, readHomeJson } from './damaged.ts';
import type { Ports } from './settings.ts';

/** One for each member that `covey up` runs: birds that live in coveys, or look like it. */
const NAMES = ['Bobwhite', 'Chukar', 'Francolin', 'Ptarmigan', 'Tinamou'] as const;

export function newMember(n: number, id: string, ports: Ports): TableMember {
  return {
    id,
    url: memberUrl(ports, n),
    name: NAMES[n - 1] ?? `Member ${n}`,
    operator: `operator-${n}`,
    capacity: { copies: 1, connections: 1, reads: 1 },
    state: 'active',
  };
}

function memberUrl(ports: Ports, n: number): string {
  return `ws://127.0.0.1:${ports.member(n)}`;
}

/** The members file as it is. @throws UpError when it is no list of members. The coordinator checks the rest. */
export function readMembers({ membersFile, root: home }: HomePaths): TableMember[] {
  const list = readHomeJson<TableMember[]>(home, membersFile);
  const wrong = (what: string) =>
    damaged(home, `${membersFile} is damaged: ${what}.`, 'mend it or restore it from a backup');
  if (!Array.isArray(list) || list.length === 0) throw wrong('it is no list of members');
  list.forEach((member, i) => {
    if (!isHex64(member?.id)) throw wrong(`member ${i + 1} has no id (a public key, 64 hex digits)`);
    if (typeof member.url !== 'string') throw wrong(`member ${i + 1} has no url`);
  });
  return list;
}

export function writeMembers({ membersFile }: HomePaths, members: readonly TableMember[]): void {
  const half = `${membersFile}.half`;
  writeFileSync(half, `${JSON.stringify(members, null, 2)}\n`);
  renameSync(half, membersFile);
}

/** As the file has it: with the public nkey of its NATS user. */
export type FileMember = TableMember & { nkey?: string };

/**
 * The members with the URLs of those that run here moved to the ports of this start, and with their NATS users; a URL
 * that an operator put there (not on loopback) stays.
 * @param own member number by public key. @param nkeys public nkey by member.
 */
export function followPorts(
  members: readonly FileMember[],
  own: ReadonlyMap<string, number>,
  ports: Ports,
  nkeys: ReadonlyMap<string, string> = new Map(),
): FileMember[] {
  return members.map((member) => {
    const n = own.get(member.id);
    const nkey = nkeys.get(member.id);
    return {
      ...member,
      ...(n && /^ws:\/\/127\.0\.0\.1(:|\/|$)/.test(member.url) ? { url: memberUrl(ports, n) } : {}),
      ...(nkey ? { nkey } : {}),
    };
  });
}
