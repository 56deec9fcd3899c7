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
  const { secrets, mistakes, inputs } = readInputs(env);
  for (const secret of secrets) core.setSecret(secret);
  if (!state?.traces) return;
  const isDue = state.rollback === 'job' || (state.rollback === 'step' && !state.succeeded);
  if (!isDue) return;
  const { created, places } = state.traces;
  if (created.length === 0 && places.length === 0) return;
  if (!inputs) {
    const left =
      created.map(({ imageId, region }) => `${imageId} in ${region}`).join(', ') || 'none is known';
    core.warning(
      logLine(
        `The rollback was not done: ${mistakes.join(' ')} The images of this run: ${left}. Delete them by hand.`,
      ),
    );
    return;
  }

  const { report } = createLog({ sink: core, region: inputs.order.source.region });
  const cloud = await connect(inputs, workflow, report);
  try {
    const deleted = await rollback(state.traces, { cloud, clock, signal, report });
    if (deleted.length > 0 && inputs.release && state.published) {
      const message = `The release ${inputs.release.tag} names images that the rollback has deleted.`;
      const advice = 'Delete its asset images.json and the section of image ids in its notes, or run again.';
      report({ type: 'warning', problem: { message, advice } });
    }
  } finally {
    await cloud.close();
  }
}
