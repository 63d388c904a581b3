import { filePosition, readFileBytes } from './file-bytes.ts';
import { LineSplitter } from './line-splitter.ts';
import { SourceBrokenError, type SourceChunk } from './source-chunk.ts';

/**
 * Events from a file, one JSON object a line: what `strfry export` writes. Broken lines are counted, never fatal.
 * @throws SourceBrokenError after the last whole line, when the file is cut off
 */
export async function* eventsFileChunks(path: string, lineBytesMax: number): AsyncGenerator<SourceChunk> {
  const splitter = new LineSplitter(lineBytesMax);
  try {
    for await (const piece of readFileBytes(path)) {
      const position = filePosition(piece);
      for (const chunk of splitter.push(piece.bytes)) yield { ...chunk, position };
    }
  } catch (error) {
    if (!(error instanceof SourceBrokenError)) throw error;
    // A last line that is cut off, too, is looked at: it counts as broken.
    yield* splitter.end();
    throw new SourceBrokenError(`${error.message} (line ${splitter.lines})`, {
      retry: error.retry,
      cause: error,
    });
  }
  yield* splitter.end();
}
