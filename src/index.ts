import * as core from '@actions/core';
import { systemClock } from './cloud/clock.ts';
import { main } from './main.ts';
import type { Workflow } from './step.ts';
import { oneLine } from './text.ts';

/** The work of each file of dist/ that a manifest names. */
const ENTRIES = {
  index: async (workflow: Workflow) => main(workflow),
  post: async (workflow: Workflow) => (await import('./post.ts')).post(workflow),
  verify: async (workflow: Workflow) => (await import('./verify.ts')).verify(workflow),
  prune: async (workflow: Workflow) => (await import('./prune.ts')).prune(workflow),
};

/** What a step does is decided by the file that the runner started, never by what was saved. */
export async function run(entry: keyof typeof ENTRIES): Promise<void> {
  const cancel = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => cancel.abort(new Error('The step was cancelled.')));
  }
  // A log that nobody takes any more, closed or full, ends nothing: copies may be under way.
  process.stdout.on('error', () => undefined);
  try {
    await ENTRIES[entry]({ core, env: process.env, clock: systemClock, signal: cancel.signal });
  } catch (error) {
    // A defect of ours: one line for the reader, no stack.
    const reason = oneLine(error instanceof Error ? error.message : String(error));
    const message = `The action itself failed: ${reason}. Please report it.`;
    if (entry === 'post') core.warning(message);
    else core.setFailed(message);
  }
}
