import { styleText } from 'node:util';

const REFRESH_MS = 200;
/** How often a long step is mentioned where lines can't be rewritten. */
const MENTION_EVERY_MS = 10_000;

export interface Terminal {
  write(text: string): void;
  /** Whether a line can be rewritten. */
  rewrites: boolean;
  colours: boolean;
  columns: number;
}

/** Standard output or error as a terminal. Nothing it throws at us (a closed pipe, a lost terminal) stops a cluster. */
export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  stream.on('error', () => {});
  return {
    write: (text) => stream.write(text),
    rewrites: Boolean(stream.isTTY),
    colours: Boolean(stream.isTTY) && !process.env['NO_COLOR'],
    columns: stream.columns ?? 80,
  };
}

export function seconds(ms: number): string {
  return ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

type Style = Parameters<typeof styleText>[0];

/** Lines for people: a line for each thing done, and one that moves for those under way, with how long they take. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #nowMs: () => number;
  readonly #running = new Map<string, { text: string; sinceMs: number; mentionedMs: number }>();
  #timer: NodeJS.Timeout | undefined;
  #live = false;

  constructor(terminal: Terminal, nowMs = () => performance.now()) {
    this.#terminal = terminal;
    this.#nowMs = nowMs;
  }

  style(style: Style, text: string): string {
    return this.#terminal.colours ? styleText(style, text, { validateStream: false }) : text;
  }

  /** A thing begins that may take long. */
  begin(name: string, text = ''): void {
    const nowMs = this.#nowMs();
    this.#running.set(name, { text, sinceMs: nowMs, mentionedMs: nowMs });
    this.#timer ??= setInterval(() => this.#refresh(), REFRESH_MS).unref();
  }

  /** What it does now. */
  update(name: string, text: string): void {
    const step = this.#running.get(name);
    if (step) step.text = text;
  }

  /** It is done: a line stays. */
  done(name: string, text = ''): void {
    const step = this.#running.get(name);
    this.#running.delete(name);
    const elapsed = step ? this.style('dim', ` · ${seconds(this.#nowMs() - step.sinceMs)}`) : '';
    this.line(`${this.style('green', '✓')} ${name}${text ? `: ${text}` : ''}${elapsed}`);
  }

  /** Something went wrong, and the rest goes on. */
  warn(text: string): void {
    this.line(`${this.style('yellow', '!')} ${text}`);
  }

  line(text: string): void {
    this.#clear();
    this.#terminal.write(`${text}\n`);
  }

  /** Nothing moves any more. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#running.clear();
    this.#clear();
  }

  #clear(): void {
    if (this.#live) this.#terminal.write('\r\x1b[2K');
    this.#live = false;
  }

  #refresh(): void {
    const nowMs = this.#nowMs();
    const steps = [...this.#running].sort(
      ([, a], [, b]) => Number(Boolean(b.text)) - Number(Boolean(a.text)),
    );
    if (this.#terminal.rewrites) {
      this.#clear();
      if (steps.length === 0) return;
      const shown = steps.map(
        ([name, { text, sinceMs }]) => `${name}${text ? `: ${text}` : ''} (${seconds(nowMs - sinceMs)})`,
      );
      this.#terminal.write(`… ${shown.join(', ')}`.slice(0, this.#terminal.columns - 1));
      this.#live = true;
      return;
    }
    for (const [name, step] of steps) {
      if (nowMs - step.mentionedMs < MENTION_EVERY_MS) continue;
      step.mentionedMs = nowMs;
      this.line(`… ${name}${step.text ? `: ${step.text}` : ''} (${seconds(nowMs - step.sinceMs)})`);
    }
  }
}
