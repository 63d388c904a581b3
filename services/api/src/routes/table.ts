import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { isFresh } from '../etag.ts';
import { problemResponse } from '../schemas.ts';
import type { RouteContext } from '../server.ts';

/** GET /v1/manifest and /v1/table: what a client needs to look keys up by itself, and to check that nobody lied to it. */
export function tableRoutes(context: RouteContext): FastifyPluginAsync {
  return async (scope) => {
    scope.get(
      '/manifest',
      {
        schema: {
          tags: ['cluster'],
          summary: 'The signed Nostr event that heads the current epoch',
          response: {
            200: Type.Object({}, { additionalProperties: true, description: 'A Nostr event (NIP-01)' }),
            304: Type.Null({ description: 'Not changed' }),
            503: problemResponse('No table yet'),
          },
        },
      },
      async (request, reply) => {
        const { event } = context.view().current;
        if (isFresh(request, reply, event.id)) return reply.code(304).send();
        reply.header('content-type', 'application/json; charset=utf-8');
        return JSON.stringify(event);
      },
    );
    scope.get(
      '/table',
      {
        schema: {
          tags: ['cluster'],
          summary: 'The whole placement table, binary',
          description:
            'ETag is the Merkle root, which the manifest signs. Format: shared/table/README.md in the source.',
          produces: ['application/octet-stream'],
          response: {
            200: Type.String({ format: 'binary' }),
            304: Type.Null({ description: 'Not changed' }),
            503: problemResponse('No table yet'),
          },
        },
      },
      async (request, reply) => {
        const { table, epoch } = context.view();
        reply.header('x-covey-epoch', String(epoch));
        if (isFresh(request, reply, table.root)) return reply.code(304).send();
        const { buffer, byteOffset, byteLength } = table.bytes;
        reply.header('content-type', 'application/octet-stream');
        return reply.send(Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength));
      },
    );
    const list = Type.Array(
      Type.Object({}, { additionalProperties: true, description: 'A Nostr event (NIP-01)' }),
    );
    scope.get(
      '/revocations',
      {
        schema: {
          tags: ['cluster'],
          summary: 'Coordinators’ keys that a root key has declared void',
          response: { 200: list },
        },
      },
      async (_request, reply) => {
        reply.header('content-type', 'application/json; charset=utf-8');
        return JSON.stringify(context.source.revocations ?? []);
      },
    );
    scope.get(
      '/cosignatures',
      {
        schema: {
          tags: ['cluster'],
          summary: 'Other coordinators’ signatures over the current epoch',
          response: { 200: list },
        },
      },
      async (_request, reply) => {
        reply.header('content-type', 'application/json; charset=utf-8');
        return JSON.stringify(context.source.cosignatures ?? []);
      },
    );
  };
}
