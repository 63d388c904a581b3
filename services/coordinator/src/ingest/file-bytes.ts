import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SourceBrokenError } from './source-chunk.ts';

const GZIP_MAGIC = Buffer.of(0x1f, 0x8b);
const READ_BYTES = 256 * 1024;

export interface FileBytes {
  bytes: Uint8Array;
  /** Read from the disk so far, of how many: compressed bytes where the file is. */
  readBytes: number;
  fileBytes: number;
}

/**
 * The content of a file, unpacked when its first two bytes say gzip, a piece at a time as the consumer asks.
 * @throws SourceBrokenError when it can't be opened; after everything that could be read, when it is cut off or damaged
 */
export async function* readFileBytes(path: string): AsyncGenerator<FileBytes> {
  const { gzip, fileBytes } = await look(path);
  const file = createReadStream(path, { highWaterMark: READ_BYTES });
  // The callback is needed so that a failure is no unhandled one; it reaches the loop below all the same.
  const stream = gzip ? pipeline(file, createGunzip({ chunkSize: READ_BYTES }), () => {}) : file;
  let bytesOut = 0;
  try {
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      bytesOut += bytes.length;
      yield { bytes, readBytes: file.bytesRead, fileBytes };
    }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why =
      code === 'Z_BUF_ERROR'
        ? 'it is cut off in the middle of the gzip stream'
        : gzip && code?.startsWith('Z_')
          ? `its gzip stream is damaged (${message})`
          : message;
    throw new SourceBrokenError(
      `${path}: ${why}, after ${bytesOut} bytes of content; what came before counts. Get the whole file and run it again`,
      { retry: false, cause },
    );
  } finally {
    file.destroy();
  }
}

async function look(path: string): Promise<{ gzip: boolean; fileBytes: number }> {
  try {
    const about = await stat(path);
    if (!about.isFile()) throw new Error('it is not a file');
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
      return { gzip: bytesRead === 2 && buffer.equals(GZIP_MAGIC), fileBytes: about.size };
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new SourceBrokenError(`${path} can't be read: ${(cause as Error).message}`, {
      retry: false,
      cause,
    });
  }
}

/** For people: how far into a file. */
export function filePosition({ readBytes, fileBytes }: FileBytes): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return `${megabytes(readBytes)} of ${megabytes(fileBytes)} MB`;
}
