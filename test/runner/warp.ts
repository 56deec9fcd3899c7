/**
 * Loaded into a process with `--import …/warp.ts?factor=N`: its time runs N times as fast, from now on. A wait of ms
 * takes ms/N; the clocks agree with it. Real work does not get faster: 10 ms on the network are N × 10 ms on these
 * clocks, so a factor of 60 makes a request timeout of 30 s half a second.
 */
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';

const factor = Number(new URL(import.meta.url).searchParams.get('factor'));
if (!(factor > 0)) throw new Error(`warp.ts needs ?factor=N, N above 0, not ${import.meta.url}`);

// Node runs longer timers after 1 ms, with a warning; that must stay as it is.
const longest = 2 ** 31 - 1;
/** Rounded up: a timer must not fire before the warped clock says that its time has come. */
const shrink = (ms: number | undefined): number | undefined =>
  ms === undefined || ms > longest ? ms : Math.ceil(ms / factor);

const start = performance.now();
const realNow = performance.now.bind(performance);
const realDate = Date;
const startDate = performance.timeOrigin + start;
const elapsed = (): number => (realNow() - start) * factor;

const WarpedDate: DateConstructor = new Proxy(realDate, {
  apply: () => new WarpedDate().toString(),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [WarpedDate.now()] : args, newTarget),
});
realDate.now = () => Math.floor(startDate + elapsed());
realDate.prototype.constructor = WarpedDate;
globalThis.Date = WarpedDate;
performance.now = () => start + elapsed();

const startTicks = process.hrtime.bigint();
const realTicks = process.hrtime.bigint;
const ticks = (): bigint => startTicks + BigInt(Math.round(Number(realTicks() - startTicks) * factor));
const hrtime = (since?: [number, number]): [number, number] => {
  const past = since === undefined ? 0n : BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]);
  const now = ticks() - past;
  return [Number(now / 1_000_000_000n), Number(now % 1_000_000_000n)];
};
process.hrtime = Object.assign(hrtime, { bigint: ticks });

type Timer = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => NodeJS.Timeout;
const realTimers = { timeout: timers.setTimeout as Timer, interval: timers.setInterval as Timer };
const realWaits = {
  timeout: promises.setTimeout,
  interval: promises.setInterval,
  wait: promises.scheduler.wait,
};

const wait: typeof promises.setTimeout = (ms, value, options) =>
  realWaits.timeout(shrink(ms), value, options);
const every: typeof promises.setInterval = (ms, value, options) =>
  realWaits.interval(shrink(ms), value, options);
const timeout: Timer = (callback, ms, ...args) => realTimers.timeout(callback, shrink(ms), ...args);
const interval: Timer = (callback, ms, ...args) => realTimers.interval(callback, shrink(ms), ...args);
Object.defineProperty(timeout, promisify.custom, { value: wait });

for (const target of [globalThis, timers])
  Object.assign(target, { setTimeout: timeout, setInterval: interval });
Object.assign(promises, { setTimeout: wait, setInterval: every });
Object.defineProperty(promises.scheduler, 'wait', {
  value: (ms: number, options?: { signal?: AbortSignal }) =>
    realWaits.wait.call(promises.scheduler, shrink(ms) ?? ms, options),
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
