/**
 * What keeps the promises, by name. Each can be switched off (`--without NAME`), and the simulation has to find that it is
 * missing: a check that never fails shows nothing.
 */
export const GUARDS = {
  'sync before OK': 'OK is said only after what it promises is on disk',
  'two copies': 'OK without words means a second durable copy',
  'spool on disk': 'what waits for other members is on disk with the event',
  'catch up': 'a member that was away compares with the others before it counts as whole',
  'pass on': 'what a member was bringing when it died goes on from where it arrived',
  'full from the full':
    'a copy is whole when it was taken from one that is whole, or from all that can be reached',
  'view in comparisons': 'a comparison goes by the table and verdicts of who asks',
  majority: 'a minority gives nobody’s place away',
  'epochs rise': 'an older table is never applied',
  'delta base': 'a delta is applied to the epoch that it was made from, and its root is checked',
  refute: 'a member that is suspected says that it lives',
  'indirect probes': 'others probe as well before a suspicion',
  'probe the dead': 'the dead are probed for return',
  'stale say so': 'a member whose table is two or more epochs behind who asks does not claim to be whole',
  'one lease': 'a lease is given and lengthened only when nobody else has it',
  fence: 'what an overtaken leader writes is refused',
  'commit first': 'an epoch is published after it is committed',
  replay: 'an epoch that was committed and not published is published by the next life',
  stages: 'a list of members changes by way of all phases',
  'stages wait': 'a phase goes on when the members apply the last one and are full',
  overlay: 'the dead are not asked: others act for them',
} as const;
export type Guard = keyof typeof GUARDS;

export function isGuard(name: string): name is Guard {
  return Object.hasOwn(GUARDS, name);
}
