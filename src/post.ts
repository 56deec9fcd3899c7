import { readConnection, readMarkSecret } from './inputs/connection.ts';
import { Reader } from './inputs/reader.ts';
import { createLog, voidMessage } from './log.ts';
import type { Event, Problem } from './promotion/model.ts';
import { rollback } from './promotion/rollback.ts';
import { loadState } from './state.ts';
import { connect, mask, type Workflow, writePage } from './step.ts';
import { logLine } from './text.ts';

/**
 * Runs when the job has failed or was cancelled (post-if in action.yml): undoes what main could not undo itself, after
 * a cancel, a kill, or the failure of a later step. Never fails: the job is red already.
 */
export async function post(workflow: Workflow): Promise<void> {
  const { core, clock, env, signal } = workflow;
  const state = loadState(core);
  const reader = new Reader(env);
  // No other input: one that is wrong must not stop a rollback.
  const connection = readConnection(reader);
  const reading = reader.reading();
  const markSecret = readMarkSecret(reader);
  mask(workflow, reading);
  if (!state?.traces) return;
  const isDue = state.rollback === 'job' || (state.rollback === 'step' && !state.succeeded);
  if (!isDue) return;
  const { created, places } = state.traces;
  if (created.length === 0 && places.length === 0) return;
  if (reading.mistakes.length > 0) {
    const left =
      created.map(({ imageId, region }) => `${imageId} in ${region}`).join(', ') || 'none is known';
    core.warning(
      logLine(
        `The rollback was not done: ${reading.mistakes.join(' ')} The images of this run: ${left}. Delete them by hand.`,
      ),
    );
    return;
  }

  const log = createLog({ sink: core });
  const left: Problem[] = [];
  const report = (event: Event): void => {
    if (event.type === 'warning') left.push(event.problem);
    if (event.type === 'rolled-back') left.push(...event.left);
    log.report(event);
  };
  const cloud = await connect(connection, workflow, report);
  try {
    const deleted = await rollback(state.traces, { cloud, clock, signal, report, markSecret });
    if (deleted.length > 0 && state.published) {
      const message = `The release ${state.published} names images that the rollback has deleted.`;
      const advice =
        'Delete its asset images.json and the section of image ids in its notes, or re-run the job.';
      report({ type: 'warning', problem: { message, advice } });
    }
    if (deleted.length > 0) core.warning(voidMessage(deleted));
    log.close();
    if (state.summary && deleted.length + left.length > 0) {
      const { renderRollback } = await import('./summary.ts');
      await writePage(core, renderRollback(deleted, left));
    }
  } finally {
    await cloud.close();
  }
}
