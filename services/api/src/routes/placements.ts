import { InvalidKeyError, isHex64, parsePubkey } from '@covey/nostr';
import { KEY_BYTES } from '@covey/table';
import type { FastifyPluginAsync } from 'fastify';
import { KeyProofs } from '../key-proofs.ts';
import { ProblemError } from '../problems.ts';
import { KeyProofDocument, Placement, problemResponse } from '../schemas.ts';
import type { RouteContext } from '../server.ts';

/** GET /v1/placements/{key}: the hot path. The answer is text put together from prepared parts. */
export function placementRoutes(context: RouteContext): FastifyPluginAsync {
  const key = Buffer.alloc(KEY_BYTES);
  const proofs = new KeyProofs();
  return async (scope) => {
    scope.get<{ Params: { key: string } }>(
      '/placements/:key/proof',
      {
        schema: {
          tags: ['placement'],
          summary: 'Pages of the table that prove where an account lives, or that no group lists it',
          description:
            'Checked against the root in the manifest by verifyKeyProof of shared/table; pages are base64, 4 to 8 of 4 KiB.',
          params: {
            type: 'object',
            properties: { key: { type: 'string', description: 'npub, nprofile or 64 hex digits' } },
          },
          response: {
            200: KeyProofDocument,
            400: problemResponse('Not a public key'),
            503: problemResponse('No table yet'),
          },
        },
      },
      async (request, reply): Promise<KeyProofDocument> => {
        const view = context.view();
        const pubkey = readPubkey(request.params.key);
        reply.header('cache-control', 'no-cache');
        return proofs.of(view.current, pubkey);
      },
    );
    scope.get<{ Params: { key: string } }>(
      '/placements/:key',
      {
        schema: {
          tags: ['placement'],
          summary: 'Where an account lives',
          description:
            'Every key lives somewhere: one that the table does not list belongs to a slot by its hash.',
          params: {
            type: 'object',
            properties: { key: { type: 'string', description: 'npub, nprofile or 64 hex digits' } },
          },
          response: {
            200: Placement,
            400: problemResponse('Not a public key'),
            503: problemResponse('No table yet'),
          },
        },
        validatorCompiler: () => () => true,
      },
      (request, reply) => {
        const view = context.view();
        const { key: given } = request.params;
        const pubkey = isHex64(given) ? given : readPubkey(given);
        key.write(pubkey, 'hex');
        reply.header('content-type', 'application/json; charset=utf-8');
        reply.send(view.placementJson(pubkey, key));
      },
    );
  };
}

/** @throws ProblemError */
function readPubkey(text: string): string {
  try {
    return parsePubkey(text);
  } catch (error) {
    if (error instanceof InvalidKeyError) throw new ProblemError('bad-key', `${error.message}.`);
    throw error;
  }
}
