import type { Clock } from './clock.ts';

/** Calls under way at once: a step is one of many on its account, and its largest check still takes three rounds. */
const ABREAST = 12;

/** Milliseconds from a refusal to the next call, at least. */
const PAUSE = 1_000;
/** Calls a second: the least, what is tried after a first refusal at least, and from where on nobody waits. */
const SLOWEST = 1 / 30;
const FIRST = 2;
const UNLIMITED = 50;
/** What a refusal leaves of the pace, and within how many milliseconds that comes back. */
const KEPT = 0.75;
const RECOVERY = 40_000;
/** Calls a second that are added in that time: so that the slow ones catch up with the others. */
const ADDED = 0.1;

export interface Gate {
  /** Milliseconds until the next call may be sent, were it the only one that waits. */
  remaining(): number;
  /** Resolves when it is the caller's turn, or rejects with the signal's reason. Every turn is ended by `leave`. */
  enter(rank: Rank, signal?: AbortSignal): Promise<void>;
  /** `refused`: the API said that the account sends too much, and to wait for so many milliseconds at least. */
  leave(sentAt: number, refused?: number): void;
}

/**
 * A copy goes first. Whatever can wait, such as a poll of a copy under way, takes as long as two once there is a
 * throttle: others on the account still have their checks and copies to send.
 */
export type Rank = 'first' | 'usual' | 'patient';

/**
 * Where all calls of a client wait for their turn. The steps that share an account know nothing of each other, so each
 * finds its pace by what is refused: less of it at once, then slowly back to what was too much, and from there faster
 * and faster. It is how TCP's CUBIC shares a line.
 */
export function createGate(clock: Clock): Gate {
  const queue: { rank: Rank; go: () => void }[] = [];
  let abreast = 0;
  let timer: AbortController | null = null;
  let nextAt = Number.NEGATIVE_INFINITY;
  /** The pace that was refused, calls a second; when that was; and how long it takes this time to be back at it. */
  let ceiling = Number.POSITIVE_INFINITY;
  let loweredAt = Number.NEGATIVE_INFINITY;
  let recovery = RECOVERY;
  /** When calls were answered otherwise, in the last second. */
  let taken: number[] = [];

  function pace(): number {
    if (ceiling === Number.POSITIVE_INFINITY) return ceiling;
    const passed = (clock.now() - loweredAt) / recovery;
    const now = ceiling * (1 + (1 - KEPT) * (passed - 1) ** 3) + ADDED * passed;
    return now > UNLIMITED ? Number.POSITIVE_INFINITY : now;
  }
  const spread = () => 0.5 + clock.random();
  const remaining = () => Math.max(0, nextAt - clock.now());

  function next(): void {
    while (queue.length > 0 && abreast < ABREAST && remaining() === 0) {
      const first = queue.findIndex(({ rank }) => rank === 'first');
      for (const { rank, go } of queue.splice(Math.max(0, first), 1)) {
        abreast += 1;
        nextAt = clock.now() + ((rank === 'patient' ? 2_000 : 1_000) / pace()) * spread();
        go();
      }
    }
    if (queue.length === 0) timer?.abort();
    else if (!timer && abreast < ABREAST) wakeUp();
  }

  function wakeUp(): void {
    const mine = new AbortController();
    timer = mine;
    const awake = () => {
      timer = null;
      next();
    };
    clock.sleep(remaining(), mine.signal).then(awake, () => {
      if (timer === mine) timer = null;
    });
  }

  return {
    remaining,
    async enter(rank, signal) {
      signal?.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const abort = () => {
          queue.splice(queue.indexOf(waiting), 1);
          next();
          reject(signal?.reason);
        };
        const go = () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        };
        const waiting = { rank, go };
        signal?.addEventListener('abort', abort);
        queue.push(waiting);
        next();
      });
    },
    leave(sentAt, refused) {
      abreast -= 1;
      const now = clock.now();
      taken = taken.filter((at) => at > now - 1_000);
      if (refused === undefined) taken.push(now);
      // Calls on their way together are of one opinion: a burst of refusals counts once.
      else if (sentAt > loweredAt) {
        ceiling = Math.max(SLOWEST, Math.min(pace(), Math.max(FIRST, taken.length)));
        loweredAt = now;
        recovery = RECOVERY * spread();
        nextAt = now + Math.max(PAUSE, 1_000 / pace()) * (0.5 + spread());
      }
      nextAt = Math.max(nextAt, now + (refused ?? 0));
      next();
    },
  };
}
