import type { CopyAnswer, CopyInfo, CopyRequest } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import type { Findings } from './check.ts';
import { asProblem, resume, Stopped } from './context.ts';
import { locate, look, lookForUnclear, type Unclear } from './look.ts';
import type { Copy, Problem } from './model.ts';
import { settleAsSource } from './plan.ts';
import { waitForSource } from './source.ts';
import { descriptionOf, fail, type Submission, settleAsMade } from './submission.ts';

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
    const absent = missing.filter(({ copy }) => !copy.problem).map(({ copy }) => copy);
    await beforeAgain(submission, again, absent, sourceWaits, round, sentAt);

    const rest = [
      ...missing,
      ...again.map(({ copy, error }) => ({ copy, problem: asProblem(error) })),
    ].filter(({ copy }) => copy.imageId === null && !copy.problem);
    if (clock.now() >= deadline) {
      for (const { copy, problem } of rest) fail(copy, unseen(submission, copy, problem));
      // There was no time to see whether the refusal was true.
      for (const { copy, error } of again)
        if (error.kind !== 'connection') copy.unclear ||= copy.imageId === null;
      return;
    }
    const unseenIn = absent.filter(({ imageId }) => imageId === null).map(({ region }) => region);
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
      else if (answer.kind === 'lost') fail(copy, lost(submission, copy));
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
        const answer = await sendSingle(submission, copy);
        if (answer.kind !== 'unsent') take([[copy, answer]]);
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

/** One CopyCustomImage. `unsent`, `lost`: the step ended before it was sent, or before its answer came. */
async function call(
  submission: Submission,
  wanted: CopyRequest,
): Promise<CopyAnswer | CloudError | 'unsent' | 'lost'> {
  const until = limits(submission);
  try {
    return await submission.cloud.copyCustomImage(wanted, { signal: until.answered, unsent: until.sent });
  } catch (error) {
    if (error instanceof CloudError) return error;
    if (until.answered.aborted) return 'lost';
    if (until.sent.aborted && error === until.sent.reason) return 'unsent';
    throw error;
  } finally {
    until.end();
  }
}

/** `sent` is aborted by the cancel and at the deadline; `answered` follows the cancel by GRACE. */
function limits({ clock, signal, deadline }: Submission): {
  sent: AbortSignal;
  answered: AbortSignal;
  end(): void;
} {
  const late = new AbortController();
  const over = new AbortController();
  const ended = new AbortController();
  const after = (ms: number, abort: () => void) => {
    clock.sleep(ms, ended.signal).then(abort, () => undefined);
  };
  const follow = () => after(GRACE, () => late.abort(signal.reason));
  signal.addEventListener('abort', follow, { once: true });
  after(Math.max(0, deadline - clock.now()), () => over.abort());
  return {
    sent: AbortSignal.any([signal, over.signal]),
    answered: late.signal,
    end() {
      signal.removeEventListener('abort', follow);
      ended.abort();
    },
  };
}

async function sendSingle(submission: Submission, copy: Copy): Promise<Answer | { kind: 'unsent' }> {
  const here = copy.region === submission.order.source.region;
  const answer = await call(submission, {
    ...request(submission, copy),
    ...(here ? {} : { TargetRegion: copy.region }),
  });
  if (answer === 'unsent' || answer === 'lost') return { kind: answer };
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
  if (answer === 'unsent') return;
  if (answer === 'lost') {
    forAll(() => ({ kind: 'lost' }));
    return;
  }
  if (!(answer instanceof CloudError)) {
    if (answer.Infos?.length) takeBatch(submission, open, answer, answers);
    else await takeOne(submission, open, answer, answers);
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
  const { order, copies, findings, strays } = submission;
  const infos = answer.Infos ?? [];
  for (const copy of open) {
    const own = infos.filter(({ TargetRegion }) => isSame(TargetRegion ?? '', copy.region));
    const isMade = ({ TargetImageId: id }: CopyInfo) => id !== undefined && isNew(findings, copy.region, id);
    answers.set(copy, madeBy(submission, copy, answer, own.find(isMade)));
  }
  for (const { TargetRegion, TargetImageId: imageId } of infos) {
    if (!TargetRegion || !imageId) continue;
    const region = copies.find((copy) => isSame(copy.region, TargetRegion))?.region ?? TargetRegion;
    if (!isNew(findings, region, imageId)) continue;
    strays.push({ region, projectId: order.target.projectId, imageId });
  }
}

/**
 * One image for a list. Older sites ignore the list and make one copy, in the source region; but none says that this is
 * why, and a guess would double every region.
 */
async function takeOne(
  submission: Submission,
  open: Copy[],
  answer: CopyAnswer,
  answers: Map<Copy, Answer>,
): Promise<void> {
  const { order, findings, strays, report } = submission;
  const { projectId } = order.target;
  const { TargetImageId: imageId, TaskId: taskId = null } = answer;
  const home = order.source.region;
  const targets = open.map(({ region }) => region);
  const places = [...new Set([home, ...targets])];
  submission.singles = true;
  if (!imageId || !places.every((region) => isNew(findings, region, imageId))) {
    suspectSource(submission, targets);
    for (const copy of open) answers.set(copy, { kind: 'unclear', problem: withoutId(copy, answer) });
    return;
  }
  report({
    type: 'notice',
    message: `This site answered for ${open.length} regions with one image, ${imageId}: looking where it is.`,
  });
  let region: string | null = null;
  try {
    region = await locate(submission, imageId, places);
  } finally {
    if (region === null) {
      const message = `${imageId}, with which this site answered for ${targets.join(', ')}, is listed nowhere yet.`;
      const advice = `If it is none of the copies in the end, delete it by hand: it is in ${places.join(' or ')}.`;
      report({ type: 'warning', problem: { message, advice } });
    }
  }
  const made = open.find((copy) => copy.region === region);
  if (made) answers.set(made, { kind: 'made', imageId, taskId });
  else if (region === null) suspectSource(submission, targets);
  else strays.push({ region, projectId, imageId });
  if (region === home && !made) {
    report({
      type: 'warning',
      problem: {
        message: `This site ignores TargetRegionList: it answered with one image, ${imageId} in ${home}, instead of ${open.length}.`,
        advice: 'The regions are copied to one by one. What becomes of that image is told.',
      },
    });
    return;
  }
  // It may have made the others as well.
  for (const copy of open) {
    if (copy === made) continue;
    const message = `CopyCustomImage answered for ${open.length} regions with one image, ${imageId}, so whether a copy was made in ${copy.region} is not clear.`;
    answers.set(copy, { kind: 'unclear', problem: { message, advice: LOOK } });
  }
}

function lost({ order }: Submission, copy: Copy): Problem {
  return {
    message: `${copy.region}: cancelled before CopyCustomImage answered, so a copy may have been made.`,
    advice: resume(order),
  };
}

function unseen({ order }: Submission, copy: Copy, { message, advice }: Problem): Problem {
  return {
    message: `${copy.region}: no copy was seen before the timeout. The last answer: ${message}`,
    advice: `${advice} ${resume(order)}`,
  };
}

const LOOK = 'Look for the image in the console.';

function withoutId(copy: Copy, { requestId }: CopyAnswer): Problem {
  const id = requestId ? ` (request id ${requestId})` : '';
  return {
    message: `CopyCustomImage answered without an image id for ${copy.region}${id}.`,
    advice: LOOK,
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

/** Refusals that pass: waits as the table says, and looks meanwhile whether a copy was made all the same. */
async function beforeAgain(
  submission: Submission,
  again: Again[],
  absent: Copy[],
  sourceWaits: Set<Copy>,
  round: number,
  sentAt: number,
): Promise<void> {
  const { clock, signal, uncertain } = submission;
  if (again.length === 0) return;
  const pending = again.filter(({ error }) => error.verdict === 'source-pending');
  const pause = pending.length > 0 ? 0 : backOff(submission, again, round);
  if (pending.length > 0) await waitOnceForSource(submission, pending, sourceWaits);
  await clock.sleep(pause / 2, signal);
  // A refusal says that nothing ran, but no page of the API promises that, and a doubled image costs more than a look.
  const refused = again
    .filter(({ copy, error }) => error.kind !== 'connection' && !copy.problem)
    .map(({ copy }) => copy);
  for (const { region } of refused) uncertain.set(region, clock.now());
  await look(submission, [...refused, ...absent], sentAt);
  // The look itself may have used up what a throttle allows.
  await clock.sleep(pause / 2, signal);
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

/** Milliseconds to wait, which are told. */
function backOff({ clock, deadline, report }: Submission, again: Again[], round: number): number {
  const least = Math.max(...again.map(({ error }) => (error.waitSeconds ?? 0) * 1000));
  const usual = Math.min(1_000 * 2 ** round, 30_000) * (0.5 + clock.random() / 2);
  const pause = Math.max(0, Math.min(Math.max(least, usual), deadline - clock.now()));
  // Told ever more rarely: a throttle may last for an hour.
  if (Number.isInteger(Math.log2(round + 1))) {
    const message = `${again[0]?.error.message ?? ''}. It is sent again in ${Math.ceil(pause / 1000)} s.`;
    report({ type: 'notice', message });
  }
  return pause;
}
