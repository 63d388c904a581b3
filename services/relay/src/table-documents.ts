import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NostrEvent } from '@covey/nostr';
import type { PlacementTable } from '@covey/table';

/** Whole tables that go out at once; more are told to come back. */
const DOWNLOADS_MAX = 8;
const DOWNLOAD_MS_MAX = 300_000;

/** What a follower of the table knows, to be handed on. */
export interface HandedOn {
  current: { table: PlacementTable; event: { id: string } } | undefined;
  revocations?: readonly NostrEvent[];
  cosignatures?: readonly NostrEvent[];
}

/**
 * A member serves the table that it applies, with its signed head: whoever knows one member finds the table without NATS
 * and without an api, and need not believe the member, as everything is checked against the root key.
 */
export class TableDocuments {
  readonly #source: HandedOn;
  #downloads = 0;

  constructor(source: HandedOn) {
    this.#source = source;
  }

  /** Answers when `path` is one of the documents. @returns whether it was. */
  answer(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const { current, revocations = [], cosignatures = [] } = this.#source;
    switch (path) {
      case '/v1/manifest':
        if (current && 'sig' in current.event) json(request, response, current.event, current.event.id);
        else none(response);
        return true;
      case '/v1/table':
        if (current && 'sig' in current.event) this.#table(request, response, current.table);
        else none(response);
        return true;
      case '/v1/revocations':
        json(request, response, revocations);
        return true;
      case '/v1/cosignatures':
        json(request, response, cosignatures);
        return true;
      default:
        return false;
    }
  }

  #table(request: IncomingMessage, response: ServerResponse, table: PlacementTable): void {
    if (known(request, response, table.root)) return;
    if (this.#downloads >= DOWNLOADS_MAX) {
      response
        .writeHead(503, { 'retry-after': '30' })
        .end('the table is being sent to others; come back soon\n');
      return;
    }
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': table.bytes.length,
      'x-covey-epoch': String(table.epoch),
    });
    if (request.method === 'HEAD') return void response.end();
    this.#downloads++;
    response.once('close', () => this.#downloads--);
    response.setTimeout(DOWNLOAD_MS_MAX, () => response.destroy());
    response.end(table.bytes);
  }
}

function json(request: IncomingMessage, response: ServerResponse, value: unknown, etag?: string): void {
  if (etag && known(request, response, etag)) return;
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
}

/** Sets the ETag, and answers 304 to who has this version. */
function known(request: IncomingMessage, response: ServerResponse, version: string): boolean {
  response.setHeader('etag', `"${version}"`);
  response.setHeader('cache-control', 'public, no-cache');
  if (request.headers['if-none-match'] !== `"${version}"`) return false;
  response.writeHead(304).end();
  return true;
}

function none(response: ServerResponse): void {
  response.writeHead(404).end('this relay applies no signed table\n');
}
