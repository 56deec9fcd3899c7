import type * as core from '@actions/core';
import type { Inputs } from './inputs/promote.ts';
import type { Copy, Order } from './promotion/model.ts';
import { type Traces, tracesOf } from './promotion/rollback.ts';

/** What main leaves for the post step, saved again whenever an id becomes known. Holds no key. */
export interface State {
  /** CopyCustomImage was sent, or was about to be. */
  submitted: boolean;
  /** The step was green: `rollback: step` leaves its images alone. */
  succeeded: boolean;
  /** The tag of the release that the ids are on, or may be. */
  published: string | null;
  rollback: Inputs['rollback'];
  /** Whether the page of the job is wanted. */
  summary: boolean;
  traces?: Traces;
}

const NAME = 'promotion';

export function saveTraces(
  files: Pick<typeof core, 'saveState'>,
  order: Order,
  state: State,
  copies: readonly Copy[],
): void {
  state.traces = tracesOf(order, copies, state.submitted);
  files.saveState(NAME, state);
}

/** Null when main left nothing, or nothing that can be read. */
export function loadState(workflow: typeof core): State | null {
  try {
    const state = JSON.parse(workflow.getState(NAME)) as State;
    return Array.isArray(state.traces?.created) ? state : null;
  } catch {
    return null;
  }
}
