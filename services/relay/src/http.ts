import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import type { TableDocuments } from './table-documents.ts';

export interface HttpOptions {
  /** The NIP-11 document of this moment. */
  information: () => object;
  registry: Registry;
  /** Why clients should not be sent here now, or undefined when they should. */
  notReady: () => string | undefined;
  documents: TableDocuments;
  /** What does not work as it should beside that, as an operator would say it; '' when all does. */
  trouble: () => string;
}

/** NIP-11 on the relay's own URI, the table that it applies, and what an operator watches. */
export function httpHandler({
  information,
  registry,
  notReady,
  documents,
  trouble,
}: HttpOptions): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]!;
    if (request.method === 'OPTIONS') return cors(response).writeHead(204).end();
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return text(
        response,
        405,
        'This is a Nostr relay: open a WebSocket, or GET with Accept: application/nostr+json\n',
      );
    switch (path) {
      case '/healthz':
        return text(response, 200, 'ok\n');
      case '/readyz': {
        const reason = notReady();
        return reason
          ? text(response, 503, `${reason}\n`)
          : text(response, 200, `ready${trouble() && `; ${trouble()}`}\n`);
      }
      case '/metrics':
        registry
          .metrics()
          .then((metrics) => text(response, 200, metrics, registry.contentType))
          .catch((error) => text(response, 500, `${error}\n`));
        return;
      default:
        if (documents.answer(path, request, cors(response))) return;
        if (wantsInformation(request)) {
          cors(response).writeHead(200, { 'content-type': 'application/nostr+json' });
          response.end(JSON.stringify(information()));
          return;
        }
        text(response, path === '/' ? 200 : 404, 'This is a Nostr relay: open it with a Nostr client.\n');
    }
  };
}

function wantsInformation(request: IncomingMessage): boolean {
  return (request.headers.accept ?? '').includes('application/nostr+json');
}

function cors(response: ServerResponse): ServerResponse {
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-allow-headers', '*');
  response.setHeader('access-control-allow-methods', 'GET, HEAD, OPTIONS');
  return response;
}

function text(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  cors(response).writeHead(status, { 'content-type': type });
  response.end(body);
}
