/** `requested` → `active` → `draining` → `left`; `suspended` holds what it holds and gets nothing new; `refused`. */
export const MEMBER_STATES = ['requested', 'active', 'draining', 'suspended', 'left', 'refused'] as const;
export type MembershipState = (typeof MEMBER_STATES)[number];

export type MembershipAction = 'admit' | 'refuse' | 'drain' | 'leave' | 'reinstate' | 'suspend';

/** The action makes no sense for a member in this state; says what would. */
export class MembershipError extends Error {
  override name = 'MembershipError';
}

const NEXT: Record<MembershipAction, Partial<Record<MembershipState, MembershipState>>> = {
  admit: { requested: 'active', refused: 'active' },
  refuse: { requested: 'refused' },
  drain: { active: 'draining', suspended: 'draining', draining: 'draining' },
  leave: { active: 'draining', draining: 'draining', suspended: 'draining', requested: 'left' },
  reinstate: { draining: 'active', suspended: 'active' },
  suspend: { active: 'suspended', draining: 'suspended' },
};

/** Where an action leads. Leaving is draining until the table names the member nowhere. @throws MembershipError */
export function nextState(state: MembershipState, action: MembershipAction): MembershipState {
  const next = NEXT[action][state];
  if (next) return next;
  const possible = (Object.keys(NEXT) as MembershipAction[]).filter((other) => NEXT[other][state]);
  throw new MembershipError(
    `a member that is ${state} can't be told to ${action}; possible: ${possible.join(', ') || 'join again'}`,
  );
}
