import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import type { Order, Problem, Report } from './model.ts';

/** What every step of a promotion works with. */
export interface Context {
  order: Order;
  cloud: Cloud;
  clock: Clock;
  report: Report;
  /** Aborted when the step is cancelled. */
  signal: AbortSignal;
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

/**
 * How long a read or a delete that fails for a passing reason is repeated, in milliseconds: long enough for a gateway
 * that restarts, short enough that a wrong api-url does not cost an hour. Polling has its own patience: the timeout.
 */
const PATIENCE = 120_000;

export function reading(context: Context): { signal: AbortSignal; patience: number } {
  const left = context.deadline - context.clock.now();
  return { signal: context.signal, patience: Math.max(0, Math.min(PATIENCE, left)) };
}
