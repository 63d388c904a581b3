/** What another holder said of an event. */
export interface HolderAnswer {
  accepted: boolean;
  message: string;
  /** It will not be asked again. */
  final: boolean;
}

/** What became of a wait: the first holder that took the event, else the first that refused it for good, else neither. */
export interface Confirmation {
  confirmed: boolean;
  message: string;
}

interface Waiting {
  /** Members that may still confirm. */
  members: Set<string>;
  refusal: string;
  settle: (confirmation: Confirmation) => void;
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
  wait(eventId: string, members: readonly string[], ms: number): Promise<Confirmation> {
    if (members.length === 0) return Promise.resolve({ confirmed: false, message: '' });
    return new Promise((resolve) => {
      const waiting: Waiting = {
        members: new Set(members),
        refusal: '',
        settle: (confirmation) => {
          clearTimeout(timer);
          this.#forget(eventId, waiting);
          resolve(confirmation);
        },
      };
      const timer = setTimeout(() => waiting.settle({ confirmed: false, message: waiting.refusal }), ms);
      timer.unref();
      const others = this.#waiting.get(eventId);
      if (others) others.push(waiting);
      else this.#waiting.set(eventId, [waiting]);
    });
  }

  /** `member` took the event, or refused it; `undefined`: it could not be reached. */
  answered(eventId: string, member: string, answer: HolderAnswer | undefined): void {
    for (const waiting of [...(this.#waiting.get(eventId) ?? [])]) {
      if (!waiting.members.delete(member)) continue;
      if (answer?.accepted) {
        waiting.settle({ confirmed: true, message: answer.message });
        continue;
      }
      if (answer?.final) waiting.refusal ||= answer.message;
      if (waiting.members.size === 0) waiting.settle({ confirmed: false, message: waiting.refusal });
    }
  }

  #forget(eventId: string, waiting: Waiting): void {
    const left = (this.#waiting.get(eventId) ?? []).filter((other) => other !== waiting);
    if (left.length > 0) this.#waiting.set(eventId, left);
    else this.#waiting.delete(eventId);
  }
}
