import { StoreError } from '../store-errors.ts';

/**
 * The schema that a store's URL names in `?schema=`, else one of the member's own; and the URL without it.
 * @throws StoreError when it is no plain name
 */
export function schemaOf(storeUrl: string, member: string): { url: string; schema: string } {
  const url = new URL(storeUrl);
  const schema = url.searchParams.get('schema') ?? `covey_member_${member.slice(0, 16)}`;
  url.searchParams.delete('schema');
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new StoreError(`COVEY_STORE_URL: schema "${schema}" is not a name of small letters, digits and _`);
  return { url: url.href, schema };
}
