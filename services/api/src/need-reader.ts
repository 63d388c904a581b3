import { type ClusterReader, DatabaseUnavailableError } from './cluster-reader.ts';
import { ProblemError } from './problems.ts';

/**
 * Runs what needs the database. @param instead the caller's next step when it is not there.
 * @throws ProblemError `no-database`
 */
export async function needReader<T>(
  reader: ClusterReader | undefined,
  instead: string,
  ask: (reader: ClusterReader) => Promise<T>,
): Promise<T> {
  if (!reader)
    throw new ProblemError(
      'no-database',
      `This API runs without a database (DATABASE_URL is not set). ${instead}`,
    );
  try {
    return await ask(reader);
  } catch (cause) {
    if (cause instanceof DatabaseUnavailableError)
      throw new ProblemError('no-database', `The database does not answer just now. ${instead}`, {
        cause,
        retryAfterSeconds: 10,
      });
    throw cause;
  }
}
