import type { Clock } from '../cloud/clock.ts';
import type { CopyAnswer, CopyInfo, CopyRequest } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import type { Findings } from './check.ts';
import { asProblem, Stopped } from './context.ts';
import { look, lookForUnclear, type Unclear } from './look.ts';
import type { Copy, Problem } from './model.ts';
import { settleAsSource } from './plan.ts';
import { waitForSource } from './source.ts';
import { descriptionOf, type Submission, settleAsMade } from './submission.ts';

/** Rounds of sending for one target whose answers were unclear, so that an unknown code is not asked for two hours. */
const ATTEMPTS = 4;

/** After a cancel, an answer that is under way is waited for: its ids are worth more than these milliseconds. */
const GRACE = 3_000;

/** At most so many single calls at once, on a site without batches. */
const ABREAST = 8;

/** What one CopyCustomImage says about one target. */
type Answer =
  | { kind: 'made'; imageId: string; taskId: string | null }
  | { kind: 'source' }
  | { kind: 'final'; problem: Problem }
  | { kind: 'again'; error: CloudError }
  /** Cancelled before the answer came. */
  | { kind: 'lost' }
  | { kind: 'unclear'; problem: Problem };

/** A refusal that passes. */
interface Again {
  copy: Copy;
  error: CloudError;
}

/**
 * Sends CopyCustomImage for every copy of plan `copy`, never again for one that may have been executed before it was
 * looked for. Afterwards each has an id or a problem.
 */
export async function submit(submission: Submission): Promise<void> {
  const { clock, signal, deadline, report, copies } = submission;
  const unclearRounds = new Map<Copy, number>();
  const sourceWaits = new Set<Copy>();
  let open = copies.filter((copy) => copy.plan === 'copy');
  for (let round = 0; open.length > 0; round++) {
    signal.throwIfAborted();
    const sentAt = clock.now();
    const { again, unclear } = await sendRound(submission, open, sentAt);
    signal.throwIfAborted();

    const missing = await lookForUnclear(submission, unclear, sentAt);
    for (const { copy, problem, refused } of missing) {
      const rounds = (unclearRounds.get(copy) ?? 0) + 1;
      unclearRounds.set(copy, rounds);
      if (refused) fail(copy, problem);
      else if (rounds >= ATTEMPTS)
        fail(copy, { message: `${problem.message} Tried ${rounds} times.`, advice: problem.advice });
    }
    await beforeAgain(submission, again, sourceWaits, round, sentAt);

    const rest = [
      ...missing,
      ...again.map(({ copy, error }) => ({ copy, problem: asProblem(error) })),
    ].filter(({ copy }) => copy.imageId === null && !copy.problem);
    if (clock.now() >= deadline) {
      for (const { copy, problem } of rest) fail(copy, unseen(copy, problem));
      return;
    }
    const unseenIn = missing.filter(({ copy }) => !copy.problem).map(({ copy }) => copy.region);
    if (unseenIn.length > 0) {
      report({
        type: 'notice',
        message: `No copy turned up in ${unseenIn.join(', ')}: CopyCustomImage is sent again.`,
      });
    }
    open = rest.map(({ copy }) => copy);
  }
}

/** Sends once for each, and takes in what is clear. Returns what is to be sent again, and what is to be looked for. */
async function sendRound(
  submission: Submission,
  open: Copy[],
  sentAt: number,
): Promise<{ again: Again[]; unclear: Unclear[] }> {
  const { report, copies, findings, uncertain } = submission;
  const again: Again[] = [];
  const unclear: Unclear[] = [];
  const answered = new Set<Copy>();
  for (const copy of open) copy.unclear = true;
  report({ type: 'submitting', copies });
  // At once, while other calls may be under way for a minute: a kill must find the ids saved.
  await send(submission, open, (answers) => {
    for (const [copy, answer] of answers) {
      answered.add(copy);
      copy.unclear = answer.kind === 'unclear' || answer.kind === 'lost';
      if (answer.kind === 'made') settleAsMade(copy, answer.imageId, answer.taskId, sentAt);
      else if (answer.kind === 'source') settleAsSource(copy, findings.source);
      else if (answer.kind === 'again') again.push({ copy, error: answer.error });
      else if (answer.kind === 'lost') fail(copy, lost(copy));
      else if (answer.kind === 'unclear') unclear.push({ copy, problem: answer.problem });
      else if (uncertain.has(copy.region)) {
        copy.unclear = true;
        unclear.push({ copy, problem: answer.problem, refused: true });
      } else fail(copy, answer.problem);
    }
    report({ type: 'ids', copies });
  });
  // Cancelled, or out of time, before they were sent.
  for (const copy of open) if (!answered.has(copy)) copy.unclear = false;
  report({ type: 'ids', copies });
  return { again, unclear };
}

function fail(copy: Copy, problem: Problem): void {
  copy.outcome = 'failed';
  copy.problem = problem;
}

type Take = (answers: Iterable<[Copy, Answer]>) => void;

/** Every answer is handed on as soon as it is there. */
async function send(submission: Submission, open: Copy[], take: Take): Promise<void> {
  const answers = new Map<Copy, Answer>();
  if (open.length > 1 && !submission.singles) {
    await sendBatch(submission, open, answers);
    take(answers);
  }
  const queue = open.filter((copy) => !answers.has(copy));
  await Promise.all(
    Array.from({ length: ABREAST }, async () => {
      for (let copy = queue.shift(); copy; copy = queue.shift()) {
        if (submission.signal.aborted || submission.clock.now() >= submission.deadline) return;
        take([[copy, await sendSingle(submission, copy)]]);
      }
    }),
  );
}

function request({ order, findings }: Submission, copy: Copy): CopyRequest {
  const { source, target } = order;
  return {
    Region: source.region,
    SourceImageId: findings.source.ImageId,
    TargetProjectId: target.projectId,
    ...(source.zone ? { Zone: source.zone } : {}),
    ...(source.projectId ? { ProjectId: source.projectId } : {}),
    TargetImageName: copy.name,
    TargetImageDescription: descriptionOf(order, findings.source),
    ...(target.tag ? { TargetImageTag: target.tag } : {}),
    extra: order.extraParameters,
  };
}

/** One CopyCustomImage; null when the step was cancelled before its answer came. */
async function call(submission: Submission, wanted: CopyRequest): Promise<CopyAnswer | CloudError | null> {
  const patience = afterCancel(submission.clock, submission.signal);
  try {
    return await submission.cloud.copyCustomImage(wanted, { signal: patience.signal });
  } catch (error) {
    if (error instanceof CloudError) return error;
    if (patience.signal.aborted) return null;
    throw error;
  } finally {
    patience.end();
  }
}

/** A signal that follows the cancel by GRACE. */
function afterCancel(clock: Clock, signal: AbortSignal): { signal: AbortSignal; end(): void } {
  const late = new AbortController();
  const ended = new AbortController();
  const follow = () => {
    clock.sleep(GRACE, ended.signal).then(
      () => late.abort(signal.reason),
      () => undefined,
    );
  };
  signal.addEventListener('abort', follow, { once: true });
  return {
    signal: late.signal,
    end() {
      signal.removeEventListener('abort', follow);
      ended.abort();
    },
  };
}

async function sendSingle(submission: Submission, copy: Copy): Promise<Answer> {
  const here = copy.region === submission.order.source.region;
  const answer = await call(submission, {
    ...request(submission, copy),
    ...(here ? {} : { TargetRegion: copy.region }),
  });
  if (answer === null) return { kind: 'lost' };
  if (answer instanceof CloudError) return fromError(submission, copy, answer);
  const info = answer.Infos?.find(({ TargetRegion }) => isSame(TargetRegion ?? copy.region, copy.region));
  return madeBy(submission, copy, answer, answer.TargetImageId ? answer : info);
}

/** Only a new id is believed: one that was there before the copy would be handed out, or deleted, as ours. */
function madeBy(
  { findings }: Submission,
  copy: Copy,
  answer: CopyAnswer,
  info: CopyInfo | undefined,
): Answer {
  const { TargetImageId: imageId, TaskId: taskId = null } = info ?? {};
  if (imageId === undefined || !isNew(findings, copy.region, imageId)) {
    return { kind: 'unclear', problem: withoutId(copy, answer) };
  }
  return { kind: 'made', imageId, taskId };
}

function isNew({ source, held }: Findings, region: string, imageId: string): boolean {
  return imageId !== source.ImageId && !held.get(region)?.some(({ ImageId }) => ImageId === imageId);
}

/** Some sites write their regions in other letters than they were asked in. */
function isSame(region: string, other: string): boolean {
  return region.toLowerCase() === other.toLowerCase();
}

/** One call for all. Leaves out of `answers` what is then to be sent one by one. */
async function sendBatch(submission: Submission, open: Copy[], answers: Map<Copy, Answer>): Promise<void> {
  const { report, uncertain } = submission;
  const [first] = open;
  if (!first) return;
  const regions = open.map(({ region }) => region);
  const answer = await call(submission, { ...request(submission, first), TargetRegionList: regions });
  const forAll = (of: (copy: Copy) => Answer) => {
    for (const copy of open) answers.set(copy, of(copy));
  };
  if (answer === null) {
    forAll(() => ({ kind: 'lost' }));
    return;
  }
  if (!(answer instanceof CloudError)) {
    if (answer.Infos?.length) takeBatch(submission, open, answer, answers);
    else takeIgnored(submission, open, answer, answers);
    return;
  }
  if (answer.verdict !== 'final') suspectSource(submission, regions);
  if (answer.verdict === 'nothing-to-copy') {
    // In a batch only a site that ignored the list can say so: it was asked to copy into the source region.
    submission.singles = true;
    for (const region of regions) uncertain.set(region, submission.clock.now());
    report({ type: 'notice', message: 'This site knows no batch: the regions are copied to one by one.' });
    return;
  }
  // Should the site know no batch, each one more would make one more image where nobody looks for it.
  if (answer.verdict === 'ambiguous') submission.singles = true;
  forAll((copy) => fromError(submission, copy, answer, open));
}

/** A site that ignored the list made its one image, if any, in the source region. */
function suspectSource({ order, suspects }: Submission, regions: string[]): void {
  if (!regions.includes(order.source.region)) suspects.add(order.source.region);
}

function takeBatch(
  submission: Submission,
  open: Copy[],
  answer: CopyAnswer,
  answers: Map<Copy, Answer>,
): void {
  const { order, findings, strays } = submission;
  const infos = answer.Infos ?? [];
  for (const copy of open) {
    const info = infos.find(({ TargetRegion }) => isSame(TargetRegion ?? '', copy.region));
    answers.set(copy, madeBy(submission, copy, answer, info));
  }
  for (const { TargetRegion, TargetImageId: imageId } of infos) {
    if (!TargetRegion || !imageId) continue;
    const region = open.find((copy) => isSame(copy.region, TargetRegion))?.region ?? TargetRegion;
    if (!isNew(findings, region, imageId)) continue;
    strays.push({ region, projectId: order.target.projectId, imageId });
  }
}

/** The site ignored the list: one copy was made, into the source region. */
function takeIgnored(
  submission: Submission,
  open: Copy[],
  answer: CopyAnswer,
  answers: Map<Copy, Answer>,
): void {
  const { order, findings, strays, report } = submission;
  const { TargetImageId: imageId } = answer;
  submission.singles = true;
  if (!imageId) {
    suspectSource(
      submission,
      open.map(({ region }) => region),
    );
    for (const copy of open) answers.set(copy, { kind: 'unclear', problem: withoutId(copy, answer) });
    return;
  }
  const { region } = order.source;
  const wanted = open.find((copy) => copy.region === region);
  if (wanted) answers.set(wanted, madeBy(submission, wanted, answer, answer));
  else if (isNew(findings, region, imageId)) {
    strays.push({ region, projectId: order.target.projectId, imageId });
  }
  report({
    type: 'warning',
    problem: {
      message: `This site ignores TargetRegionList: it answered with one image, ${imageId} in ${region}, instead of ${open.length}.`,
      advice: wanted
        ? 'The other regions are copied to one by one.'
        : 'That image is deleted, and the regions are copied to one by one.',
    },
  });
}

function lost(copy: Copy): Problem {
  return {
    message: `${copy.region}: cancelled before CopyCustomImage answered, so a copy may have been made.`,
    advice: 'Run again: a copy that was made is adopted.',
  };
}

function unseen(copy: Copy, { message, advice }: Problem): Problem {
  return {
    message: `${copy.region}: no copy was seen before the timeout. The last answer: ${message}`,
    advice: `${advice} A new run adopts a copy that turns up after all.`,
  };
}

function withoutId(copy: Copy, { requestId }: CopyAnswer): Problem {
  const id = requestId ? ` (request id ${requestId})` : '';
  return {
    message: `CopyCustomImage answered without an image id for ${copy.region}${id}.`,
    advice: 'Look for the image in the console, or run again: a copy that was made is adopted.',
  };
}

/** `sent`: all that the call was about. */
function fromError(submission: Submission, copy: Copy, error: CloudError, sent = [copy]): Answer {
  if (error.verdict === 'nothing-to-copy' && isSource(submission, copy)) return { kind: 'source' };
  if (error.verdict === 'ambiguous') return { kind: 'unclear', problem: asProblem(error) };
  if (error.verdict === 'retry' || error.verdict === 'source-pending') return { kind: 'again', error };
  return { kind: 'final', problem: withCount(submission, sent, error) };
}

/** 8962 is only believed where it can be true: a site that ignores TargetRegion answers it for any region. */
function isSource({ order, findings }: Submission, copy: Copy): boolean {
  const project = findings.sourceProject ?? copy.projectId;
  return copy.region === order.source.region && copy.projectId === project;
}

const QUOTA = 8095;

function withCount({ order, findings }: Submission, sent: Copy[], error: CloudError): Problem {
  const { message, advice } = asProblem(error);
  if (error.code !== QUOTA) return { message, advice };
  const counts = sent
    .map(({ region }) => `${findings.held.get(region)?.length ?? 0} in ${region}`)
    .join(', ');
  return {
    message,
    advice: `Custom images of project ${order.target.projectId} now: ${counts}. ${advice}`,
  };
}

/** Refusals that pass: waits as the table says, then looks whether a copy was made all the same. */
async function beforeAgain(
  submission: Submission,
  again: Again[],
  sourceWaits: Set<Copy>,
  round: number,
  sentAt: number,
): Promise<void> {
  const pending = again.filter(({ error }) => error.verdict === 'source-pending');
  if (pending.length > 0) await waitOnceForSource(submission, pending, sourceWaits);
  else if (again.length > 0) await backOff(submission, again, round);
  // A refusal says that nothing ran, but no page of the API promises that, and a doubled image costs more than a look.
  const refused = again
    .filter(({ copy, error }) => error.kind !== 'connection' && !copy.problem)
    .map(({ copy }) => copy);
  for (const { region } of refused) submission.uncertain.set(region, submission.clock.now());
  await look(submission, refused, sentAt, false);
}

async function waitOnceForSource(
  submission: Submission,
  pending: Again[],
  sourceWaits: Set<Copy>,
): Promise<void> {
  for (const { copy, error } of pending) {
    if (sourceWaits.has(copy)) fail(copy, asProblem(error));
    sourceWaits.add(copy);
  }
  const waiting = pending.filter(({ copy }) => !copy.problem);
  if (waiting.length === 0) return;
  try {
    await waitForSource(submission, submission.findings.source, 'not ready to be copied');
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    for (const { copy } of waiting) if (error.problems[0]) fail(copy, error.problems[0]);
  }
}

async function backOff(submission: Submission, again: Again[], round: number): Promise<void> {
  const { clock, deadline, signal, report } = submission;
  const least = Math.max(...again.map(({ error }) => (error.waitSeconds ?? 0) * 1000));
  const usual = Math.min(1_000 * 2 ** round, 30_000) * (0.5 + clock.random() / 2);
  const pause = Math.max(0, Math.min(Math.max(least, usual), deadline - clock.now()));
  // Told ever more rarely: a throttle may last for an hour.
  if (Number.isInteger(Math.log2(round + 1))) {
    const message = `${again[0]?.error.message ?? ''}. It is sent again in ${Math.ceil(pause / 1000)} s.`;
    report({ type: 'notice', message });
  }
  await clock.sleep(pause, signal);
}
