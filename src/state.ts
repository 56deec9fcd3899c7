import type * as core from '@actions/core';
import type { Inputs } from './inputs/promote.ts';
import type { Order, Promotion } from './promotion/model.ts';
import { type Traces, tracesOf } from './promotion/traces.ts';

/** What main leaves for the post step, saved again whenever an id becomes known. Holds no key. */
export interface State {
  /** CopyCustomImage was sent, or was about to be. */
  submitted: boolean;
  /** The step was green: `rollback: step` leaves its images alone. */
  succeeded: boolean;
  /** Null until main has ended: then it was killed. */
  ended: 'itself' | 'cancelled' | null;
  /** The tag of the release that the ids are on, or may be. */
  published: string | null;
  rollback: Inputs['rollback'];
  /** Whether the page of the job is wanted. */
  summary: boolean;
  outputFile?: string;
  traces?: Traces;
}

const NAME = 'promotion';

/** Before anything is sent: what is missing later was lost. */
export function saveBeginning(files: Pick<typeof core, 'saveState'>, state: State): void {
  files.saveState(NAME, state);
}

export function saveTraces(
  files: Pick<typeof core, 'saveState'>,
  order: Order,
  state: State,
  promotion: Pick<Promotion, 'copies' | 'source'>,
): void {
  state.traces = tracesOf(order, promotion, state.submitted);
  files.saveState(NAME, state);
}

/** `none` when main left nothing, `broken` when that cannot be read. */
export function loadState(workflow: typeof core): State | 'none' | 'broken' {
  const text = workflow.getState(NAME);
  if (text === '') return 'none';
  try {
    const state: unknown = JSON.parse(text);
    return isState(state) ? state : 'broken';
  } catch {
    return 'broken';
  }
}

/** Whatever else may write into the runner's files: nothing is deleted by what is not whole. */
function isState(value: unknown): value is State {
  if (!isRecord(value)) return false;
  const { submitted, succeeded, rollback, ended = null, published = null } = value;
  if (typeof submitted !== 'boolean' || typeof succeeded !== 'boolean') return false;
  if (!isOneOf(rollback, ['never', 'step', 'job']) || !isOneOf(ended, [null, 'itself', 'cancelled']))
    return false;
  if (published !== null && typeof published !== 'string') return false;
  const { traces } = value;
  if (traces === undefined) return !submitted;
  if (!isRecord(traces) || typeof traces.run !== 'string' || traces.run === '') return false;
  return (
    areAll(traces.places, ['region', 'projectId']) &&
    areAll(traces.created, ['region', 'projectId', 'imageId'])
  );
}

function isOneOf(value: unknown, some: readonly unknown[]): boolean {
  return some.includes(value);
}

function areAll(list: unknown, names: readonly string[]): boolean {
  if (!Array.isArray(list)) return false;
  return list.every(
    (one) => isRecord(one) && names.every((name) => typeof one[name] === 'string' && one[name] !== ''),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
