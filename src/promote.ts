import type * as core from '@actions/core';
import type { Inputs } from './inputs/promote.ts';
import { createLog, failureMessage } from './log.ts';
import { OUTPUT_BYTES } from './markdown.ts';
import { contentOf, resultOf, writeOutputFile } from './output-file.ts';
import { NOTHING, outputsOf, removeOutputFile } from './outputs.ts';
import { rolledBack } from './promotion/ending.ts';
import { overtake } from './promotion/leftovers.ts';
import type { Copy, Event, Order, Problem, Promotion } from './promotion/model.ts';
import { promote } from './promotion/promote.ts';
import { rollback } from './promotion/rollback.ts';
import { type State, saveBeginning, saveTraces } from './state.ts';
import { attempt, connect, type Workflow, writePage } from './step.ts';
import type { SummaryContext } from './summary.ts';

const UNWRITTEN = 'The steps that follow would not have the image ids; the ids are in the log above.';

const POST_DELETES = 'The "Post" step of this job will delete the copies created by this run.';

const UNKEPT =
  'The post step cannot roll back what it does not know of: delete these images by hand if they must go.';

/** Promotes and reports. Whatever happens, the outputs are set and a failure is one annotation. */
export async function promoteImage(workflow: Workflow, inputs: Inputs): Promise<void> {
  const { core, env } = workflow;
  const { outputFile } = inputs;
  const files = onlyChanges(core);
  const state: State = {
    submitted: false,
    succeeded: false,
    published: null,
    ended: null,
    rollback: inputs.rollback,
    summary: inputs.summary,
    ...(outputFile ? { outputFile } : {}),
  };
  removeOutputFile(outputFile, env);
  const mayRollBack = inputs.rollback !== 'never' && !inputs.order.dryRun;
  // Outside of a runner no post step follows.
  const postFollows = env.GITHUB_STATE !== undefined;
  const broken = attempt(() => {
    saveBeginning(files, state);
    setOutputs(files, NOTHING);
  });
  if (broken !== null) {
    const advice = 'The ids of the copies could not be kept there, so no request was sent.';
    const promotion = { ...NOTHING, problems: [{ message: broken, advice }] };
    const context = { order: inputs.order, warnings: [], now: workflow.clock.now() };
    const markdown = await summarize(workflow, promotion, context, inputs.summary);
    const lost = attempt(() => setOutputs(core, promotion, markdown));
    core.setFailed([`${broken} ${advice}`, ...(lost === null || lost === broken ? [] : [lost])].join('\n'));
    return;
  }
  const log = createLog({ sink: core, order: inputs.order });
  const warnings: Problem[] = [];
  const known: Promotion = { ...NOTHING, status: 'copying' };
  let unwritten: string | null = null;
  const write = (work: () => void): void => {
    unwritten = attempt(work) ?? unwritten;
  };
  let unkept: string | null = null;
  const keep = (copies: Copy[]): void => {
    const lost = attempt(() => saveTraces(files, inputs.order, state, { ...known, copies }));
    if (mayRollBack) unkept = lost;
  };
  const report = (event: Event): void => {
    if (event.type === 'warning') warnings.push(event.problem);
    if (event.type === 'rolled-back') warnings.push(...event.left);
    if (event.type === 'plan') known.source = event.source;
    if (event.type === 'submitting') state.submitted = true;
    if (event.type === 'submitting' || event.type === 'ids') {
      const copies = [...event.copies];
      // Before anything is said of them: a kill must lose no id.
      keep(copies);
      write(() => setOutputs(files, { ...known, copies }));
    }
    log.report(event);
  };
  const cloud = await connect(inputs.connection, workflow, report);
  try {
    const alsoCheck = inputs.release && releaseCheck(workflow, inputs.release, inputs.order, report);
    const promotion = await promote({ ...workflow, order: inputs.order, cloud, report, alsoCheck });
    const save = () =>
      outputFile === undefined
        ? null
        : writeOutputFile(outputFile, contentOf(promotion, inputs.order.source, env), env);
    let unsaved = save();
    const isUndone = mayRollBack && promotion.copies.some(({ created }) => created);
    // A step that will be red hands out no ids that its own rollback deletes.
    const isCause = unsaved !== null && isUndone;
    if (unsaved !== null && isUndone) fail(promotion, unsaved);
    const succeeded = promotion.status !== 'failed' && promotion.status !== 'partial';
    const { aborted } = workflow.signal;
    if (!succeeded && inputs.rollback !== 'never' && !(aborted && postFollows) && state.traces) {
      const { markSecret } = inputs.order;
      const signal = postFollows ? workflow.signal : new AbortController().signal;
      const effects = { ...workflow, signal, cloud, report, markSecret, postFollows };
      const before = [...warnings];
      const undone = await rollback(state.traces, effects);
      rolledBack(promotion, undone);
      overtake(before, undone.deleted);
      unsaved = save();
    }
    if (workflow.signal.aborted && postFollows && inputs.rollback !== 'never') leaveToPost(promotion);
    const release = succeeded && promotion.status !== 'planned' ? inputs.release : undefined;
    state.published = release?.tag ?? null;
    unwritten = null;
    keep(promotion.copies);
    write(() => setOutputs(files, promotion));
    if (release) await publish(workflow, inputs.order, release, promotion, report);
    const provisional =
      inputs.rollback === 'job' && succeeded && promotion.copies.some(({ created }) => created);
    const context = { order: inputs.order, warnings, now: workflow.clock.now(), provisional };
    const markdown = await summarize(workflow, promotion, context, inputs.summary);
    write(() => setOutputs(files, promotion, markdown));
    if (provisional)
      report({ type: 'notice', message: 'Kept only if the whole job succeeds (rollback: job).' });
    log.close(promotion);
    const failure = failureMessage(promotion, inputs.order);
    // Known only now: a cancel may have come while the release was written.
    state.succeeded = failure === null && unwritten === null && unsaved === null && !workflow.signal.aborted;
    state.ended = workflow.signal.aborted ? 'cancelled' : 'itself';
    keep(promotion.copies);
    if (failure !== null) core.setFailed(failure);
    else if (unwritten !== null)
      core.setFailed(`${unwritten} ${UNWRITTEN}${isUndone ? ` ${POST_DELETES}` : ''}`);
    else if (unsaved !== null) core.setFailed(unsaved);
    if (failure !== null && unsaved !== null && !isCause) core.warning(unsaved);
    if (unkept !== null) core.warning(`${unkept} ${UNKEPT}`);
  } finally {
    await cloud.close();
  }
}

type Files = Pick<typeof core, 'setOutput' | 'saveState'>;

/** The runner's files only grow: a throttle of an hour would write the same ids thousands of times. */
function onlyChanges({ setOutput, saveState }: Files): Files {
  const changed = (write: (name: string, value: unknown) => void) => {
    const last = new Map<string, string>();
    return (name: string, value: unknown) => {
      const text = JSON.stringify(value);
      if (last.get(name) === text) return;
      write(name, value);
      last.set(name, text);
    };
  };
  return { setOutput: changed(setOutput), saveState: changed(saveState) };
}

function setOutputs(files: Pick<Files, 'setOutput'>, promotion: Promotion, markdown = ''): void {
  for (const [name, value] of Object.entries(outputsOf(promotion, markdown))) files.setOutput(name, value);
}

function fail(promotion: Promotion, message: string): void {
  promotion.problems.push({ message, advice: '' });
  promotion.status = 'failed';
}

/** After a cancel there is no time for a rollback here. Where nothing was created, nothing is left to do. */
function leaveToPost(promotion: Promotion): void {
  if (!promotion.copies.some(({ created, unclear }) => created || unclear)) return;
  promotion.rollback = { by: 'post' };
  for (const problem of promotion.problems) problem.advice = POST_DELETES;
  for (const { created, unclear, problem } of promotion.copies) {
    if (problem && (created || unclear)) problem.advice = POST_DELETES;
  }
}

/** What GitHub is asked with, before the first copy and after the last. */
function onRelease({ env, clock, signal }: Workflow, { tag, token }: { tag: string; token: string }) {
  const apiUrl = env.GITHUB_API_URL ?? 'https://api.github.com';
  return { token, tag, signal, clock, env, apiUrl, repository: env.GITHUB_REPOSITORY ?? '' };
}

/** Why the ids could not be published in the end. */
function releaseCheck(
  workflow: Workflow,
  release: { tag: string; token: string },
  { dryRun }: Order,
  report: (event: Event) => void,
): () => Promise<Problem[]> {
  return async () => {
    const { checkRelease } = await import('./github/release.ts');
    const { stop, doubt } = await checkRelease({ ...onRelease(workflow, release), write: !dryRun });
    // If it lasts, publishing fails as well, and that is the warning.
    for (const { message, advice } of doubt) report({ type: 'notice', message: `${message} ${advice}` });
    return stop;
  };
}

async function publish(
  workflow: Workflow,
  { source }: Order,
  release: { tag: string; token: string },
  promotion: Promotion,
  report: (event: Event) => void,
): Promise<void> {
  const { publishRelease } = await import('./github/release.ts');
  try {
    const images = JSON.stringify(resultOf(promotion, source, workflow.env), null, 2);
    const published = await publishRelease({ ...onRelease(workflow, release), promotion, images });
    if (published) report({ type: 'notice', message: `The image ids are on the release: ${published.url}` });
  } catch (error) {
    report({ type: 'warning', problem: unpublished(error, release.tag, workflow.signal) });
  }
}

/** Writes the page if it is wanted, and gives the same as an output. */
async function summarize(
  { core }: Workflow,
  promotion: Promotion,
  context: SummaryContext,
  page: boolean,
): Promise<string> {
  const { renderSummary } = await import('./summary.ts');
  if (page) await writePage(core, renderSummary(promotion, context));
  return renderSummary(promotion, context, OUTPUT_BYTES);
}

function unpublished(error: unknown, tag: string, signal: AbortSignal): Problem {
  if (error instanceof Error && 'advice' in error)
    return { message: error.message, advice: String(error.advice) };
  if (signal.aborted)
    return {
      message: `The step was cancelled while the image ids were put on release ${tag}: it may hold some of them.`,
      advice:
        'Look at its notes, and whether its asset is images.json or still images.new.json; a re-run of the job puts both right.',
    };
  return {
    message: `The image ids were not published on release ${tag}: ${error instanceof Error ? error.message : String(error)}`,
    advice: 'The promotion itself stands: its ids are in the outputs.',
  };
}
