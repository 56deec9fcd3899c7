import * as core from '@actions/core';
import { systemClock } from './cloud/clock.ts';
import { main } from './main.ts';
import { post } from './post.ts';
import { oneLine } from './text.ts';

const cancel = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => cancel.abort(new Error('The step was cancelled.')));
}

const workflow = { core, env: process.env, clock: systemClock, signal: cancel.signal };
const isPost = core.getState('begun') === 'true';
try {
  if (isPost) {
    await post(workflow);
  } else {
    core.saveState('begun', 'true');
    await main(workflow);
  }
} catch (error) {
  // A defect of ours: one line for the reader, no stack.
  const reason = oneLine(error instanceof Error ? error.message : String(error));
  const message = `The action itself failed: ${reason}. Please report it.`;
  if (isPost) core.warning(message);
  else core.setFailed(message);
}
