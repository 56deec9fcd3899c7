import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import type { Order, Problem, Report } from './model.ts';

/** What every step of a promotion works with. */
export interface Context {
  order: Order;
  cloud: Cloud;
  clock: Clock;
  report: Report;
  /** Aborted when the step is cancelled. */
  signal: AbortSignal;
  /** What else must hold before the first copy: asked beside the reads of the check. */
  alsoCheck?: (() => Promise<Problem[]>) | undefined;
  /** Unix milliseconds: the end of the input `timeout`. */
  deadline: number;
}

/** Ends a promotion: facts for the reader, all at once. */
export class Stopped extends Error {
  readonly problems: Problem[];
  constructor(...problems: Problem[]) {
    super(problems.map(({ message }) => message).join(' '));
    this.name = 'Stopped';
    this.problems = problems;
  }
}

export function asProblem(error: CloudError): Problem {
  return { message: `${error.message}.`, advice: error.advice };
}

/** What has ended a run early; nothing for a cancel. */
export function causesOf(error: unknown, signal: AbortSignal): Problem[] {
  if (error instanceof Stopped) return error.problems;
  if (signal.aborted) return [];
  const reason = error instanceof Error ? error.message : String(error);
  const advice = 'This is a defect of the action: please report it, with the log of this step.';
  return [{ message: `The action itself failed: ${reason}.`, advice }];
}

/** For a read that nothing can go on without. */
export async function stopOnError<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof CloudError ? new Stopped(asProblem(error)) : error;
  }
}

/** Reads and deletes may be repeated until the timeout: the client knows which errors deserve less. */
export function reading(context: Context): { signal: AbortSignal; patience: number } {
  return { signal: context.signal, patience: Math.max(0, context.deadline - context.clock.now()) };
}

/** Tries again, after as many milliseconds as `attempt` answers, until it answers null. */
export async function repeat(
  sleep: (ms: number) => Promise<void>,
  attempt: () => Promise<number | null>,
): Promise<void> {
  for (let pause = await attempt(); pause !== null; pause = await attempt()) await sleep(pause);
}

/**
 * Milliseconds past its time after which a promotion, or a rollback, gives up wherever it waits: many calls behind one
 * throttle can hold each other for long. A copy that was sent at the last moment has its 90 s before that.
 */
const OVERTIME = 180_000;

/**
 * The caller's signal, which is also aborted when `ms` and OVERTIME have passed, and by `end`: a read that nobody waits
 * for any more would keep the process alive.
 */
export function bounded(clock: Clock, signal: AbortSignal, ms: number): { signal: AbortSignal; end(): void } {
  const over = new AbortController();
  const ended = new AbortController();
  const problem = {
    message: `The API kept this step waiting for ${OVERTIME / 1000} s beyond its time.`,
    advice: 'Run fewer promotions side by side, or give a longer timeout.',
  };
  clock.sleep(ms + OVERTIME, ended.signal).then(
    () => over.abort(new Stopped(problem)),
    () => undefined,
  );
  const end = () => {
    ended.abort();
    over.abort(new Error('The step has ended.'));
  };
  return { signal: AbortSignal.any([signal, over.signal]), end };
}
