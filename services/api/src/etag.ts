import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Sets the ETag, and tells whether the client has this version already (then answer 304 without a body).
 * `cache-control: no-cache` lets caches keep it and makes them ask.
 */
export function isFresh(
  request: FastifyRequest,
  reply: FastifyReply,
  version: string,
  scope: 'public' | 'private' = 'public',
): boolean {
  const etag = `"${version}"`;
  reply.header('etag', etag).header('cache-control', `${scope}, no-cache`);
  if (scope === 'public') reply.header('access-control-expose-headers', 'etag, x-covey-epoch');
  const known = request.headers['if-none-match'];
  if (known === undefined) return false;
  return known.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}
