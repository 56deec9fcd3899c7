import type { Clock } from '../src/cloud/clock.ts';

interface Sleeper {
  due: number;
  order: number;
  wake: () => void;
}

/** Real milliseconds without any sleeper after which `run` calls the promise stuck. */
const STUCK_AFTER = 5_000;

/** Lets everything that is ready to run do so: promise callbacks, `nextTick`, immediates. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Time that stands still until everybody sleeps, then jumps to the first who wakes.
 * `await clock.run(work(clock))` plays hours in milliseconds, in the same order every time.
 */
export class VirtualClock implements Clock {
  readonly start: number;
  #now: number;
  #order = 0;
  #seed: number;
  #outside = 0;
  #sleepers: Sleeper[] = [];

  constructor({ start = Date.UTC(2026, 0, 1), seed = 1 }: { start?: number; seed?: number } = {}) {
    this.start = start;
    this.#now = start;
    this.#seed = seed;
  }

  now(): number {
    return this.#now;
  }

  /** Milliseconds since the clock was made. */
  get elapsed(): number {
    return this.#now - this.start;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const sleeper = {
        due: this.#now + Math.max(0, Number.isFinite(ms) ? ms : 0),
        order: this.#order++,
        wake: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** mulberry32: small, and the same sequence for the same seed. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Moves time by hand; who should have woken meanwhile does so in the next `run`. */
  advance(ms: number): void {
    this.#now += ms;
  }

  /** Does something `ms` from now, while `run` is driving: a fault, an abort, a new image. */
  after(ms: number, action: () => void): void {
    void this.sleep(ms).then(action);
  }

  /** Time does not move while `work` goes on: for real requests, files, processes. */
  async outside<T>(work: Promise<T>): Promise<T> {
    this.#outside++;
    try {
      return await work;
    } finally {
      this.#outside--;
    }
  }

  /**
   * Drives time until `promise` settles, and settles as it does.
   * Throws when that takes more than `limit` milliseconds of virtual time, or when nobody sleeps and nothing happens.
   */
  async run<T>(promise: Promise<T>, { limit = 30 * 86_400_000 } = {}): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    const end = this.#now + limit;
    let idleSince = Date.now();
    while (true) {
      await turn();
      if (settled) return await promise;
      const next = this.#outside > 0 ? undefined : this.#first();
      if (!next) {
        if (this.#outside === 0 && Date.now() - idleSince > STUCK_AFTER) {
          throw new Error(`stuck at ${this.elapsed} ms: nobody sleeps and the promise does not settle`);
        }
        continue;
      }
      if (next.due > end) {
        throw new Error(
          `not settled after ${limit} ms of virtual time: ${this.#sleepers.length} still asleep`,
        );
      }
      idleSince = Date.now();
      this.#now = Math.max(this.#now, next.due);
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
    }
  }

  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (!first || sleeper.due < first.due || (sleeper.due === first.due && sleeper.order < first.order)) {
        first = sleeper;
      }
    }
    return first;
  }
}
