interface Waiting {
  /** Members that may still confirm. */
  members: Set<string>;
  settle: (confirmed: boolean) => void;
}

/**
 * Writes that wait until one other holder has said OK. The forwarder tells of every answer; a write stops waiting when one
 * holder has confirmed, when none is left that could, or after its time.
 */
export class Confirmations {
  readonly #waiting = new Map<string, Waiting[]>();

  /** Writes that wait now: at most as many as connections may have in flight, each for a bounded time. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Whether one of `members` takes the event within `ms`. Call it before the event can be answered. */
  wait(eventId: string, members: readonly string[], ms: number): Promise<boolean> {
    if (members.length === 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiting: Waiting = {
        members: new Set(members),
        settle: (confirmed) => {
          clearTimeout(timer);
          this.#forget(eventId, waiting);
          resolve(confirmed);
        },
      };
      const timer = setTimeout(() => waiting.settle(false), ms);
      timer.unref();
      const others = this.#waiting.get(eventId);
      if (others) others.push(waiting);
      else this.#waiting.set(eventId, [waiting]);
    });
  }

  /** `member` took the event, or refused it or could not be reached. */
  answered(eventId: string, member: string, accepted: boolean): void {
    for (const waiting of [...(this.#waiting.get(eventId) ?? [])]) {
      if (!waiting.members.delete(member)) continue;
      if (accepted) waiting.settle(true);
      else if (waiting.members.size === 0) waiting.settle(false);
    }
  }

  #forget(eventId: string, waiting: Waiting): void {
    const left = (this.#waiting.get(eventId) ?? []).filter((other) => other !== waiting);
    if (left.length > 0) this.#waiting.set(eventId, left);
    else this.#waiting.delete(eventId);
  }
}
