import { publicKeyOf } from '@covey/nostr';
import type { Limits } from '../limits.ts';
import type { MemberStore } from './member-store.ts';
import { openSqliteStore } from './sqlite/open-sqlite-store.ts';
import { storeOptions } from './store-options.ts';

export interface StorePlace {
  dir: string;
  limits: Limits;
  secretKey: string;
  /** `postgres://…`; the folder's own SQLite when not given. */
  storeUrl?: string | undefined;
}

/** Opens a member's store, where its settings say. @param clock Unix milliseconds @throws StoreError */
export async function openMemberStore(place: StorePlace, clock: () => number): Promise<MemberStore> {
  const options = storeOptions(place, clock);
  if (place.storeUrl === undefined) return openSqliteStore(options);
  // Members without PostgreSQL do not load its driver.
  const [{ openPostgresStore }, { schemaOf }] = await Promise.all([
    import('./postgres/open-postgres-store.ts'),
    import('./postgres/schema-name.ts'),
  ]);
  const { url, schema } = schemaOf(place.storeUrl, publicKeyOf(place.secretKey));
  return await openPostgresStore(url, schema, options);
}
