import { Enforcer, type HeldGroup } from '@covey/enforcement';
import { SLOT_GROUPS } from '@covey/table';

/** The real one; only that nothing lives in the 4,096 slots here, which are passed over to save time. */
export class SimEnforcer extends Enforcer {
  override held(): HeldGroup[] {
    const { table } = this;
    const held: HeldGroup[] = [];
    for (let group = SLOT_GROUPS; group < (table?.groupCount ?? 0); group++) {
      const { holds, ...copies } = this.copiesOf(group);
      if (holds) held.push({ group, ...copies });
    }
    return held;
  }
}
