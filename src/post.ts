import { headlineOfRollback } from './headline.ts';
import { readConnection, readMarkSecret } from './inputs/connection.ts';
import { readInputs } from './inputs/promote.ts';
import { type Environment, Reader } from './inputs/reader.ts';
import { createLog, voidMessage } from './log.ts';
import type { Headline } from './outcome.ts';
import { removeOutputFile } from './outputs.ts';
import type { Event, ImageRef, Problem } from './promotion/model.ts';
import { rollback } from './promotion/rollback.ts';
import type { Traces } from './promotion/traces.ts';
import { loadState, type State } from './state.ts';
import { connect, mask, type Workflow, writePage } from './step.ts';
import { logLine, logLines } from './text.ts';

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
  if (typeof state === 'string') {
    const lost = lostState(state, env);
    if (lost === null) return;
    core.warning(logLine(`Nothing was rolled back: ${lost}`));
    const headline = { icon: '⚠️', text: 'Nothing was rolled back', next: '' };
    const isWanted = reader.boolean('summary', true);
    return append(workflow, isWanted, headline, [{ message: capital(lost), advice: '' }]);
  }
  if (!state.traces) return;
  const isDue = state.rollback === 'job' || (state.rollback === 'step' && !state.succeeded);
  const { created, places } = state.traces;
  if (created.length === 0 && places.length === 0) return;
  if (!isDue) {
    if (state.rollback !== 'never' || state.ended !== null) return;
    const what = killed(state.traces);
    core.warning(
      [`${KILLED.text}. ${what}`, `Next: ${KILLED.next}`].flatMap((line) => logLines(line)).join('\n'),
    );
    return append(workflow, state.summary, KILLED, [{ message: what, advice: '' }], [], '##');
  }
  if (reading.mistakes.length > 0) {
    const left = listOf(created) || 'none is known';
    const why = `${reading.mistakes.join(' ')} The images of this run: ${left}.`;
    core.warning(logLine(`The rollback was not done: ${why} Delete them by hand.`));
    const headline = { icon: '⚠️', text: 'The rollback was not done', next: 'delete these images by hand.' };
    return append(workflow, state.summary, headline, [{ message: why, advice: '' }]);
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
    const result = await rollback(state.traces, { cloud, clock, signal, report, markSecret });
    const { deleted } = result;
    if (deleted.length > 0) removeOutputFile(state.outputFile, env);
    if (deleted.length > 0 && state.published) {
      const message = `The release ${state.published} may name images that the rollback has deleted.`;
      const advice =
        'Look for their ids in its notes and in its asset images.json: what names them is void. A re-run of the job writes both anew.';
      report({ type: 'warning', problem: { message, advice } });
    }
    if (deleted.length + left.length > 0) {
      const again = state.ended === 'itself' && !state.succeeded;
      const headline = headlineOfRollback(result, { because: causeOf(state), fix: state.succeeded, again });
      core.warning(voidMessage(headline, deleted));
      await append(workflow, state.summary, headline, left, deleted);
    }
    log.close();
  } finally {
    await cloud.close();
  }
}

/** Why the job is red. */
function causeOf({ succeeded, ended }: State): string {
  if (succeeded) return 'a later step failed or the job was cancelled';
  return `this step ${{ itself: 'failed', cancelled: 'was cancelled', killed: 'was killed' }[ended ?? 'killed']}`;
}

const KILLED = {
  icon: '🚫',
  text: 'This step was killed',
  next: 're-run the job: with if-exists: adopt, the default, it reuses the copies that exist.',
};

/** Without a rollback nothing but this names what a killed step has started. */
function killed({ created, places }: Traces): string {
  if (created.length > 0)
    return `It had started these copies in project ${created[0]?.projectId}, which continue in the cloud: ${listOf(created)}.`;
  const targets = places.filter(({ unasked }) => !unasked);
  const beside = places
    .filter(({ unasked }) => unasked)
    .map(({ region }) => `, or in ${region} if the API endpoint knows no lists of regions`);
  return `Copies may exist in project ${targets[0]?.projectId}: in ${targets.map(({ region }) => region).join(', ')}${beside.join('')}.`;
}

function listOf(images: Traces['created']): string {
  return images.map(({ imageId, region }) => `${imageId} in ${region}`).join(', ');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Appends to the page of the job, where the summary is wanted. */
async function append(
  { core }: Workflow,
  isWanted: boolean,
  headline: Headline,
  left: readonly Problem[],
  deleted: readonly ImageRef[] = [],
  level?: '##',
): Promise<void> {
  if (!isWanted) return;
  const { renderRollback } = await import('./summary.ts');
  await writePage(core, renderRollback(headline, deleted, left, level));
}

/**
 * What is to be told when a rollback may be due and nothing is known of what main has done; else null. Without a state
 * main has begun only if its inputs are good, and then it has saved one before its first request.
 */
function lostState(state: 'none' | 'broken', env: Environment): string | null {
  const { inputs } = readInputs(env);
  const reader = new Reader(env);
  const rollback = inputs?.rollback ?? reader.choice('rollback', ['never', 'step', 'job']);
  if (rollback === 'never' || reader.boolean('dry-run', false) || (state === 'none' && !inputs)) return null;
  const target = inputs?.order.target;
  const imageId = inputs?.order.source.imageId;
  const source = imageId ? ` and ${imageId} as its source` : '';
  const where = target
    ? `project ${target.projectId} in ${[...target.regions, ...(target.optionalRegions ?? [])].join(', ')}`
    : 'the target project, in each target region,';
  const run = /^\d+$/.test(env.GITHUB_RUN_ID ?? '')
    ? `by ${env.GITHUB_RUN_ID}-${env.GITHUB_RUN_ATTEMPT ?? '1'}-`
    : 'by local-';
  const what =
    state === 'none'
      ? 'this step saved nothing for its post step. If its log has no "Plan", it was stopped before it copied anything, and nothing is to do. Else'
      : 'what this step saved for its post step cannot be read. If its log names copies,';
  return `${what} look in ${where} for images with "${run}" in the marker of their description${source}. Other steps and jobs of this run have it too: delete those that none of their logs names.`;
}
