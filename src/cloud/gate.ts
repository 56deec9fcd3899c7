import type { Clock } from './clock.ts';

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

export interface Gate {
  /** Milliseconds until the gate opens. */
  remaining(): number;
  pass(signal?: AbortSignal): Promise<void>;
  /** `least`: milliseconds for which the API itself asks. */
  throttled(sentAt: number, least?: number): void;
  succeeded(sentAt: number): void;
}

/** Where all calls of a client wait after the API has said that they are too many. */
export function createGate(clock: Clock): Gate {
  let wait = 0;
  let raisedAt = Number.NEGATIVE_INFINITY;
  let easedAt = Number.NEGATIVE_INFINITY;
  let notBefore = Number.NEGATIVE_INFINITY;
  const remaining = () => Math.max(0, notBefore - clock.now());
  return {
    remaining,
    // Calls that wait together leave spread over as long again, or they would all be refused once more.
    async pass(signal) {
      while (remaining() > 0) await clock.sleep(remaining() + clock.random() * wait, signal);
    },
    // Calls on their way together are of one opinion: a burst of refusals, or of successes, counts once.
    throttled(sentAt, least = 0) {
      notBefore = Math.max(notBefore, clock.now() + least);
      if (sentAt <= raisedAt) return;
      wait = Math.min(LONGEST_WAIT, Math.max(FIRST_WAIT, wait * 2));
      raisedAt = clock.now();
      notBefore = Math.max(notBefore, raisedAt + wait);
    },
    succeeded(sentAt) {
      if (sentAt <= raisedAt || sentAt < easedAt) return;
      wait = wait > FIRST_WAIT ? wait / 2 : 0;
      easedAt = clock.now();
    },
  };
}
