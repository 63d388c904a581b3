import { ask, type Status } from './api.ts';

const POLL_MS = 3_000;

export interface PollListener {
  onStatus(status: Status): void;
  /** No answer; `sinceMs` is when the last one came, or when the page was opened. */
  onSilence(sinceMs: number): void;
}

/** Asks for the status every few seconds, one question at a time, and not while the page is hidden. */
export function poll(listener: PollListener): void {
  let heardMs = Date.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  const next = async () => {
    if (asking) return;
    clearTimeout(timer);
    asking = true;
    try {
      const status = await ask<Status>('/v1/status');
      heardMs = Date.now();
      listener.onStatus(status);
    } catch (error) {
      console.warn('no status', error);
      listener.onSilence(heardMs);
    }
    asking = false;
    if (!document.hidden) timer = setTimeout(next, POLL_MS);
  };
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void next();
  });
  void next();
}
