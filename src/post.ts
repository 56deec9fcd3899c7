import { readInputs } from './inputs.ts';
import { createLog } from './log.ts';
import { connect, type Workflow } from './main.ts';
import { rollback } from './promotion/rollback.ts';
import { loadState } from './state.ts';
import { logLine } from './text.ts';

/**
 * Runs when the job has failed or was cancelled (post-if in action.yml): undoes what main could not undo itself, after
 * a cancel, a kill, or the failure of a later step. Never fails: the job is red already.
 */
export async function post(workflow: Workflow): Promise<void> {
  const { core, clock, env, signal } = workflow;
  const state = loadState(core);
  const { secrets, inputs } = readInputs(env);
  for (const secret of secrets) core.setSecret(secret);
  if (!state?.traces || !inputs || inputs.rollback === 'never') return;
  if (inputs.rollback === 'step' && state.succeeded) return;
  if (state.traces.created.length === 0 && state.traces.places.length === 0) return;

  const log = createLog({ sink: core, region: inputs.order.source.region });
  const cloud = await connect(inputs, workflow, log);
  try {
    const { deleted, left } = await rollback(state.traces, { cloud, clock, signal });
    for (const { region, imageId } of deleted) {
      core.info(logLine(`Rolled back: ${imageId} in ${region} was deleted.`));
    }
    for (const { problem } of left) log.report({ type: 'warning', problem });
    if (deleted.length === 0 && left.length === 0) core.info('Rollback: this run left no image.');
  } finally {
    await cloud.close();
  }
}
