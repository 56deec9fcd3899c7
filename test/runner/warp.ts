/**
 * Loaded into a process with `--import …/warp.ts`: its clocks are WARP_AHEAD ms ahead of the real ones, and its timers
 * agree with them. They run at real speed. When the process only sleeps, it says so over its IPC channel (see clock.ts),
 * and a message that comes over it is how much ahead the clocks are from then on.
 */

import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import timers from 'node:timers';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Asleep } from './clock.ts';

let ahead = Number(process.env.WARP_AHEAD);
delete process.env.WARP_AHEAD;

const realNow = performance.now.bind(performance);
const realDate = Date;
const now = (): number => performance.timeOrigin + realNow() + ahead;

const WarpedDate: DateConstructor = new Proxy(realDate, {
  apply: () => new WarpedDate().toString(),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [WarpedDate.now()] : args, newTarget),
});
realDate.now = () => Math.floor(now());
realDate.prototype.constructor = WarpedDate;
globalThis.Date = WarpedDate;
performance.now = () => realNow() + ahead;

const realTicks = process.hrtime.bigint;
const ticks = (): bigint => realTicks() + BigInt(Math.round(ahead * 1e6));
const hrtime = (since?: [number, number]): [number, number] => {
  const past = since === undefined ? 0n : BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]);
  const span = ticks() - past;
  return [Number(span / 1_000_000_000n), Number(span % 1_000_000_000n)];
};
process.hrtime = Object.assign(hrtime, { bigint: ticks });

/** What Node's timers are made of, in 20 to 24: how long they run from their last start on. */
interface Timer extends NodeJS.Timeout {
  _idleTimeout: number;
  _destroyed: boolean;
}
type Start = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => Timer;
const real = {
  timeout: timers.setTimeout as unknown as Start,
  interval: timers.setInterval as unknown as Start,
};

/** The timers that run, and when each is due. */
const due = new Map<Timer, number>();

const started =
  (start: Start, repeats: boolean): Start =>
  (callback, ms = 1, ...args) => {
    const fire = (...given: unknown[]): void => {
      if (repeats) due.set(timer, now() + ms);
      else due.delete(timer);
      callback.apply(timer, given);
    };
    const timer = start(fire, ms, ...args);
    const { refresh } = timer;
    timer.refresh = () => {
      timer._idleTimeout = ms;
      due.set(timer, now() + ms);
      return refresh.call(timer);
    };
    due.set(timer, now() + ms);
    return timer;
  };

/** Each timer runs for what is left of its time. */
function restart(): void {
  for (const [timer, at] of [...due].sort(([, a], [, b]) => a - b)) {
    if (timer._destroyed) {
      due.delete(timer);
      continue;
    }
    timer._idleTimeout = Math.max(1, Math.ceil(at - now()));
    Object.getPrototypeOf(timer).refresh.call(timer);
  }
}

const timeout = started(real.timeout, false);
const interval = started(real.interval, true);

const wait = <T>(
  ms?: number,
  value?: T,
  { signal, ref = true }: { signal?: AbortSignal; ref?: boolean } = {},
) =>
  new Promise<T>((fulfil, reject) => {
    const aborted = (): void => {
      clearTimeout(timer);
      reject(new DOMException('The operation was aborted', 'AbortError'));
    };
    const timer = timeout(() => {
      signal?.removeEventListener('abort', aborted);
      fulfil(value as T);
    }, ms);
    if (!ref) timer.unref();
    if (signal?.aborted) aborted();
    else signal?.addEventListener('abort', aborted, { once: true });
  });
Object.defineProperty(timeout, promisify.custom, { value: wait });

for (const target of [globalThis, timers])
  Object.assign(target, { setTimeout: timeout, setInterval: interval });
Object.assign(promises, { setTimeout: wait });
Object.defineProperty(promises.scheduler, 'wait', {
  value: (ms: number, options?: { signal?: AbortSignal }) => wait(ms, undefined, options),
});

AbortSignal.timeout = (ms) => {
  const controller = new AbortController();
  const fire = (): void => {
    controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  };
  timeout(fire, ms).unref();
  return controller.signal;
};

syncBuiltinESMExports();

/** How often it is looked whether the process sleeps, in ms of real time. */
const LOOK = 2;

const inside = process as unknown as { _getActiveHandles(): unknown[]; _getActiveRequests(): unknown[] };

/** Undefined while anything goes on: a look-up, a file, a connection in the making, work put off for a moment. */
function asleep(): Asleep | undefined {
  if (inside._getActiveRequests().length > 0) return undefined;
  if (process.getActiveResourcesInfo().includes('Immediate')) return undefined;
  const sockets = inside._getActiveHandles().filter((handle) => handle instanceof net.Socket);
  if (sockets.some(({ connecting }) => connecting)) return undefined;
  const running = [...due].filter(([timer]) => !timer._destroyed).map(([, at]) => at);
  return {
    until: Math.min(...running),
    ports: sockets.flatMap(({ remotePort, localPort }) => (remotePort && localPort ? [localPort] : [])),
  };
}

process.on('message', (message) => {
  ahead = Number(message);
  restart();
});
process.channel?.unref();
real
  .interval(() => {
    const report = asleep();
    if (report && Number.isFinite(report.until) && process.connected) process.send?.(report);
  }, LOOK)
  .unref();
