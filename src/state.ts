import type * as core from '@actions/core';
import type { Inputs } from './inputs/promote.ts';
import type { Copy, Order } from './promotion/model.ts';
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
  copies: readonly Copy[],
): void {
  state.traces = tracesOf(order, copies, state.submitted);
  files.saveState(NAME, state);
}

/** `none` when main left nothing, `broken` when that cannot be read. */
export function loadState(workflow: typeof core): State | 'none' | 'broken' {
  const text = workflow.getState(NAME);
  if (text === '') return 'none';
  try {
    const state = JSON.parse(text) as State;
    const hasBegun = state.submitted === false && state.traces === undefined;
    return hasBegun || Array.isArray(state.traces?.created) ? state : 'broken';
  } catch {
    return 'broken';
  }
}
