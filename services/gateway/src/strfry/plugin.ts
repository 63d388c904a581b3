import type { Log } from '../stderr-log.ts';
import { LineSplitter, type LineTraces } from './line-splitter.ts';
import {
  type Answer,
  answerLine,
  OWN_SOURCES,
  type PluginRequest,
  parseLine,
  SYNCED_SOURCES,
} from './messages.ts';
import type { StrfryPolicy } from './policy.ts';

export interface PluginOptions {
  policy: StrfryPolicy;
  input: AsyncIterable<Buffer>;
  /** Writes an answer; what it returns is waited for before more input is read. */
  answer: (lines: string) => Promise<void> | void;
  log: Log;
  lineBytesMax: number;
}

const COUNTS_EVERY_MS = 60_000;
/** Log lines about single requests in one interval; the rest is counted. */
const COMPLAINTS_MAX = 10;

const ACCEPT: Answer = { action: 'accept' };

/**
 * Answers strfry, line by line, in order, as long as there is input. Whatever goes wrong with one request, it is answered
 * when its id is known, and the next one is read.
 */
export class StrfryPlugin {
  readonly #options: PluginOptions;
  /** Since the start, by outcome. */
  readonly counts: Record<string, number> = {};
  #answers = '';
  #complaints = 0;
  #reported = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PluginOptions) {
    this.#options = options;
  }

  /** Resolves when the input is over. @throws what the input or `answer` throws. */
  async run(): Promise<void> {
    const { input, lineBytesMax } = this.#options;
    this.#timer = setInterval(() => this.#report(), COUNTS_EVERY_MS);
    this.#timer.unref();
    const splitter = new LineSplitter({
      lineBytesMax,
      onLine: (line) => this.#onLine(line),
      onOverlong: (traces) =>
        this.#malformed(`the event is too large: this plugin takes ${lineBytesMax} bytes a request`, traces),
    });
    try {
      for await (const chunk of input) {
        splitter.push(chunk);
        await this.#flush();
      }
      splitter.end();
      await this.#flush();
    } finally {
      clearInterval(this.#timer);
      this.#report();
    }
  }

  #onLine(line: string): void {
    const parsed = parseLine(line);
    if ('malformed' in parsed) this.#malformed(parsed.malformed, parsed);
    else if ('ignored' in parsed) this.#count(`ignored ${parsed.ignored}`);
    else this.#decide(parsed.request);
  }

  #decide(request: PluginRequest): void {
    try {
      const { answer, outcome } = this.#options.policy.decide(request);
      this.#count(outcome);
      if (outcome === 'unknown source')
        this.#complain(
          { sourceType: request.sourceType.slice(0, 32) },
          'a source that is not known here: accepted',
        );
      this.#answers += answerLine(request.id, answer);
    } catch (error) {
      // A fault of this plugin must not cost the relay an event.
      this.#count('failed');
      this.#complain({ id: request.id, error: String(error) }, 'could not decide: accepted');
      this.#answers += answerLine(request.id, ACCEPT);
    }
  }

  /** What the operator set going himself is accepted even so: strfry checks events by itself. */
  #malformed(what: string, { id, sourceType = '' }: LineTraces): void {
    this.#count('malformed');
    this.#complain(
      { ...(id ? { id } : {}), problem: what },
      id ? 'a malformed request' : 'a malformed request without an id: not answered',
    );
    if (!id) return;
    const own = OWN_SOURCES.has(sourceType) || SYNCED_SOURCES.has(sourceType);
    this.#answers += answerLine(id, own ? ACCEPT : { action: 'reject', msg: `invalid: ${what}` });
  }

  async #flush(): Promise<void> {
    const lines = this.#answers;
    this.#answers = '';
    if (lines) await this.#options.answer(lines);
  }

  #count(outcome: string): void {
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
  }

  #complain(fields: object, text: string): void {
    if (this.#complaints++ < COMPLAINTS_MAX) this.#options.log.warn(fields, text);
  }

  #report(): void {
    const unsaid = Math.max(0, this.#complaints - COMPLAINTS_MAX);
    this.#complaints = 0;
    const counts = JSON.stringify(this.counts);
    if (counts === this.#reported || counts === '{}') return;
    this.#reported = counts;
    this.#options.log.info(
      { counts: this.counts, ...(unsaid ? { unsaid } : {}) },
      'decisions since the start',
    );
  }
}
