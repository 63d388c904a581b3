import { homeRoot, readRunState } from '@covey/config';
import { InvalidKeyError } from '@covey/nostr';

/** Exit codes of the commands that ask the API, as sysexits.h has them. */
export const EXIT = {
  ok: 0,
  usage: 64,
  data: 65,
  unreachable: 69,
  internal: 70,
  notReady: 75,
  forbidden: 77,
} as const;

const ANSWER_MS_MAX = 30_000;
const PORT = 4600;

/** A command ends with this message on standard error and this exit code. */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Where the API is: the option, COVEY_API_URL, the cluster that runs in COVEY_HOME, else the default port here. */
export function apiUrl(option: string | undefined, env: NodeJS.ProcessEnv): string {
  const given = option ?? (env['COVEY_API_URL'] || undefined) ?? readRunState(homeRoot(env))?.apiUrl;
  const url = given ?? `http://127.0.0.1:${env['COVEY_PORT'] || PORT}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new CommandError(EXIT.usage, `"${url}" is no address of an API; give --api http://host:port`);
  return url.replace(/\/+$/, '');
}

/** Asks the API. @throws CommandError whose exit code follows the answer. */
export async function askApi<T>(base: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`${base}${path}`, {
      ...(body === undefined
        ? {}
        : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
  } catch (cause) {
    const { name, cause: inner } = cause as Error & { cause?: { code?: string; message?: string } };
    const why =
      name === 'TimeoutError'
        ? `no answer in ${ANSWER_MS_MAX / 1000} s`
        : (inner?.code ?? inner?.message ?? 'no connection');
    throw new CommandError(
      EXIT.unreachable,
      `the API at ${base} can't be reached (${why}). Is the cluster running? Start one with: covey up. Or name another with --api URL or COVEY_API_URL.`,
      { cause },
    );
  }
  const text = await response.text();
  const answer = readJson(text);
  if (response.ok && answer !== undefined) return answer as T;
  const { detail, title } = (answer ?? {}) as { detail?: string; title?: string };
  if (!response.ok && detail) throw new CommandError(exitCodeOf(response.status), `${title}: ${detail}`);
  throw new CommandError(
    EXIT.unreachable,
    `what answers at ${base} is no Covey API (HTTP ${response.status}); check --api or COVEY_API_URL.`,
  );
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function exitCodeOf(status: number): number {
  if (status === 503) return EXIT.notReady;
  if (status === 403) return EXIT.forbidden;
  return status >= 500 ? EXIT.internal : EXIT.data;
}

/** Runs a command's action; failures go to standard error in one line, with their exit code. */
export async function runAsking(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const failure = error instanceof InvalidKeyError ? new CommandError(EXIT.data, error.message) : error;
    if (!(failure instanceof CommandError)) throw failure;
    process.stderr.write(`covey: ${failure.message}\n`);
    process.exitCode = failure.exitCode;
  }
}

/** Rows in columns, padded to the widest cell; columns of numbers, with - for none, to the right. */
export function alignColumns(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  const numeric: boolean[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, String(cell).length);
      if (typeof cell === 'number' || cell === '-') numeric[i] = true;
    });
  return rows
    .map((row) =>
      row
        .map((cell, i) => (numeric[i] ? String(cell).padStart(widths[i]!) : String(cell).padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
