import type { Clock } from '../cloud/clock.ts';
import type { CopyAnswer, CopyRequest, Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { asProblem, available, byAge, type Findings } from './check.ts';
import { type Context, Stopped } from './context.ts';
import { readMark, withMark } from './mark.ts';
import type { Copy, Problem } from './model.ts';
import { settleAsSource } from './plan.ts';
import { differences } from './verify.ts';

/**
 * How long after an unclear answer a copy that was made may stay unseen, in milliseconds. The gateway gives up after
 * 60 s while the call may still be running behind it (API.md, 110), and a new image takes some time to be listed,
 * which no page bounds: another 60 s. Only when this time has passed is a copy sent again.
 */
export const LISTING_WINDOW = 120_000;

/** Rounds of sending for one target whose answers were unclear, so that an unknown code is not asked for two hours. */
const ATTEMPTS = 4;

/** After a cancel, an answer that is under way is waited for: its ids are worth more than these milliseconds. */
const GRACE = 3_000;

/** Milliseconds for which the last look and the deletes after it are repeated, beyond the timeout if need be. */
const LAST_PATIENCE = 30_000;

/** At most so many single calls at once, on a site without batches. */
const ABREAST = 8;

/** What submitting leaves open for later: see `reconcile`. */
export interface Submission {
  /** Targets whose copy was sent more than once, or found by looking: a second one may turn up. Region → since when. */
  uncertain: Map<string, number>;
  /** Images made where nobody wanted them. */
  strays: Made[];
  /** Regions outside the targets where a batch with an unclear answer may have made one. */
  suspects: Set<string>;
}

export interface Made {
  region: string;
  projectId: string;
  imageId: string;
}

export function newSubmission(): Submission {
  return { uncertain: new Map(), strays: [], suspects: new Set() };
}

interface Sending extends Context {
  findings: Findings;
  submission: Submission;
  /** The site does not know TargetRegionList. */
  singles: boolean;
}

/** What one CopyCustomImage says about one target. */
type Answer =
  | { kind: 'made'; imageId: string; taskId: string | null }
  | { kind: 'source' }
  | { kind: 'final'; problem: Problem }
  | { kind: 'again'; error: CloudError }
  /** Cancelled before the answer came. */
  | { kind: 'lost' }
  | { kind: 'unclear'; problem: Problem };

interface Unclear {
  copy: Copy;
  problem: Problem;
  /** The last answer was a refusal for good, after one that was not clear: look, but do not send again. */
  refused?: true;
}

/**
 * Sends CopyCustomImage for every copy of plan `copy`, never again for one that may have been executed before it was
 * looked for. Afterwards each has an id or a problem.
 */
export async function submit(
  context: Context,
  findings: Findings,
  copies: Copy[],
  submission: Submission,
): Promise<void> {
  const sending: Sending = { ...context, findings, submission, singles: false };
  let open = copies.filter((copy) => copy.plan === 'copy');
  const unclearRounds = new Map<Copy, number>();
  const sourceWaits = new Set<Copy>();
  for (let round = 0; open.length > 0; round++) {
    context.signal.throwIfAborted();
    for (const copy of open) copy.unclear = true;
    context.report({ type: 'submitting', copies });
    const sentAt = context.clock.now();
    const again: { copy: Copy; error: CloudError }[] = [];
    const unclear: Unclear[] = [];
    const answered = new Set<Copy>();
    // At once, while other calls may be under way for a minute: a kill must find the ids saved.
    await send(sending, open, (answers) => {
      for (const [copy, answer] of answers) {
        answered.add(copy);
        copy.unclear = answer.kind === 'unclear' || answer.kind === 'lost';
        if (answer.kind === 'made') settleAsMade(copy, answer.imageId, answer.taskId, sentAt);
        else if (answer.kind === 'source') settleAsSource(copy, findings.source);
        else if (answer.kind === 'again') again.push({ copy, error: answer.error });
        else if (answer.kind === 'lost') fail(copy, lost(copy));
        else if (answer.kind === 'unclear') unclear.push({ copy, problem: answer.problem });
        else if (submission.uncertain.has(copy.region)) {
          copy.unclear = true;
          unclear.push({ copy, problem: answer.problem, refused: true });
        } else fail(copy, answer.problem);
      }
      context.report({ type: 'ids', copies });
    });
    // Cancelled, or out of time, before they were sent.
    for (const copy of open) if (!answered.has(copy)) copy.unclear = false;
    context.report({ type: 'ids', copies });
    context.signal.throwIfAborted();

    const missing = await lookForUnclear(sending, unclear, sentAt);
    for (const { copy, problem, refused } of missing) {
      if (refused) {
        fail(copy, problem);
        continue;
      }
      const rounds = (unclearRounds.get(copy) ?? 0) + 1;
      unclearRounds.set(copy, rounds);
      if (rounds >= ATTEMPTS)
        fail(copy, { message: `${problem.message} Tried ${rounds} times.`, advice: problem.advice });
    }
    await beforeAgain(sending, again, sourceWaits, round, sentAt);
    context.report({ type: 'ids', copies });

    open = [...missing, ...again]
      .map(({ copy }) => copy)
      .filter((copy) => copy.imageId === null && !copy.problem);
    if (open.length > 0 && context.clock.now() >= context.deadline) {
      for (const { copy, problem } of [
        ...missing,
        ...again.map(({ copy, error }) => ({ copy, problem: asProblem(error) })),
      ]) {
        if (!open.includes(copy)) continue;
        fail(copy, {
          message: `${copy.region}: no copy was seen before the timeout. The last answer: ${problem.message}`,
          advice: `${problem.advice} A new run adopts a copy that turns up after all.`,
        });
      }
      return;
    }
    if (missing.length > 0 && open.length > 0) {
      const regions = open.map(({ region }) => region).join(', ');
      context.report({
        type: 'notice',
        message: `No copy turned up in ${regions}: CopyCustomImage is sent again.`,
      });
    }
  }
}

function settleAsMade(copy: Copy, imageId: string, taskId: string | null, at: number): void {
  copy.imageId = imageId;
  copy.taskId = taskId;
  copy.state = 'Copying';
  copy.outcome = 'copied';
  copy.created = true;
  copy.unclear = false;
  copy.startedAt = at;
}

function fail(copy: Copy, problem: Problem): void {
  copy.outcome = 'failed';
  copy.problem = problem;
}

type Take = (answers: Iterable<[Copy, Answer]>) => void;

/** Every answer is handed on as soon as it is there. */
async function send(sending: Sending, open: Copy[], take: Take): Promise<void> {
  const answers = new Map<Copy, Answer>();
  if (open.length > 1 && !sending.singles) {
    await sendBatch(sending, open, answers);
    take(answers);
  }
  const queue = open.filter((copy) => !answers.has(copy));
  await Promise.all(
    Array.from({ length: ABREAST }, async () => {
      for (let copy = queue.shift(); copy; copy = queue.shift()) {
        if (sending.signal.aborted || sending.clock.now() >= sending.deadline) return;
        take([[copy, await sendSingle(sending, copy)]]);
      }
    }),
  );
}

function request({ order, findings }: Sending, copy: Copy): CopyRequest {
  const { source, target } = order;
  const mark = { region: source.region, imageId: findings.source.ImageId, run: order.run };
  return {
    Region: source.region,
    SourceImageId: findings.source.ImageId,
    TargetProjectId: target.projectId,
    ...(source.zone ? { Zone: source.zone } : {}),
    ...(source.projectId ? { ProjectId: source.projectId } : {}),
    TargetImageName: copy.name,
    TargetImageDescription: withMark(target.description ?? findings.source.ImageDescription, mark),
    ...(target.tag ? { TargetImageTag: target.tag } : {}),
    extra: order.extraParameters,
  };
}

/** One CopyCustomImage; null when the step was cancelled before its answer came. */
async function call(sending: Sending, wanted: CopyRequest): Promise<CopyAnswer | CloudError | null> {
  const patience = afterCancel(sending.clock, sending.signal);
  try {
    return await sending.cloud.copyCustomImage(wanted, { signal: patience.signal });
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

async function sendSingle(sending: Sending, copy: Copy): Promise<Answer> {
  const here = copy.region === sending.order.source.region;
  const answer = await call(sending, {
    ...request(sending, copy),
    ...(here ? {} : { TargetRegion: copy.region }),
  });
  if (answer === null) return { kind: 'lost' };
  if (answer instanceof CloudError) return fromError(sending, copy, answer);
  if (answer.TargetImageId)
    return { kind: 'made', imageId: answer.TargetImageId, taskId: answer.TaskId ?? null };
  const info = answer.Infos?.find(({ TargetRegion }) => (TargetRegion ?? copy.region) === copy.region);
  if (info?.TargetImageId) return { kind: 'made', imageId: info.TargetImageId, taskId: info.TaskId ?? null };
  return { kind: 'unclear', problem: withoutId(copy, answer) };
}

async function sendBatch(sending: Sending, open: Copy[], answers: Map<Copy, Answer>): Promise<void> {
  const { order, submission, report } = sending;
  const [first] = open;
  if (!first) return;
  const regions = open.map(({ region }) => region);
  const answer = await call(sending, { ...request(sending, first), TargetRegionList: regions });
  if (answer === null) {
    for (const copy of open) answers.set(copy, { kind: 'lost' });
    return;
  }
  const listedSource = regions.includes(order.source.region);
  const unclear =
    answer instanceof CloudError ? answer.verdict !== 'final' : !answer.Infos && !answer.TargetImageId;
  if (unclear && !listedSource) submission.suspects.add(order.source.region);
  // Should the site know no batch, each one more would make one more image where nobody looks for it.
  if (answer instanceof CloudError && answer.verdict === 'ambiguous') sending.singles = true;
  if (answer instanceof CloudError) {
    if (answer.verdict === 'nothing-to-copy') {
      // In a batch only a site that ignored the list can say so: it was asked to copy into the source region.
      sending.singles = true;
      for (const { region } of open) submission.uncertain.set(region, sending.clock.now());
      report({ type: 'notice', message: 'This site knows no batch: the regions are copied to one by one.' });
      return;
    }
    for (const copy of open) answers.set(copy, fromError(sending, copy, answer));
    return;
  }
  if (answer.Infos && answer.Infos.length > 0) {
    for (const copy of open) {
      const info = answer.Infos.find(({ TargetRegion }) => TargetRegion === copy.region);
      answers.set(
        copy,
        info?.TargetImageId
          ? { kind: 'made', imageId: info.TargetImageId, taskId: info.TaskId ?? null }
          : { kind: 'unclear', problem: withoutId(copy, answer) },
      );
    }
    for (const { TargetRegion: region, TargetImageId: imageId } of answer.Infos) {
      if (region && imageId && !regions.includes(region)) {
        submission.strays.push({ region, projectId: order.target.projectId, imageId });
      }
    }
    return;
  }
  sending.singles = true;
  const wanted = open.find(({ region }) => region === order.source.region);
  if (!answer.TargetImageId) {
    for (const copy of open) answers.set(copy, { kind: 'unclear', problem: withoutId(copy, answer) });
    return;
  }
  // The list was ignored: one copy was made, into the source region.
  if (wanted)
    answers.set(wanted, { kind: 'made', imageId: answer.TargetImageId, taskId: answer.TaskId ?? null });
  else {
    const { projectId } = order.target;
    submission.strays.push({ region: order.source.region, projectId, imageId: answer.TargetImageId });
  }
  report({
    type: 'warning',
    problem: {
      message: `This site ignores TargetRegionList: it answered with one image, ${answer.TargetImageId} in ${order.source.region}, instead of ${open.length}.`,
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

function withoutId(copy: Copy, { requestId }: CopyAnswer): Problem {
  const id = requestId ? ` (request id ${requestId})` : '';
  return {
    message: `CopyCustomImage answered without an image id for ${copy.region}${id}.`,
    advice: 'Look for the image in the console, or run again: a copy that was made is adopted.',
  };
}

function fromError(sending: Sending, copy: Copy, error: CloudError): Answer {
  if (error.verdict === 'nothing-to-copy' && isSource(sending, copy)) return { kind: 'source' };
  if (error.verdict === 'ambiguous') return { kind: 'unclear', problem: asProblem(error) };
  if (error.verdict === 'retry' || error.verdict === 'source-pending') return { kind: 'again', error };
  return { kind: 'final', problem: withCount(sending, copy, error) };
}

/** 8962 is only believed where it can be true: a site that ignores TargetRegion answers it for any region. */
function isSource({ order, findings }: Sending, copy: Copy): boolean {
  const project = findings.sourceProject ?? copy.projectId;
  return copy.region === order.source.region && copy.projectId === project;
}

const QUOTA = 8095;

function withCount({ findings }: Sending, copy: Copy, error: CloudError): Problem {
  const { message, advice } = asProblem(error);
  if (error.code !== QUOTA) return { message, advice };
  const count = findings.held.get(copy.region)?.length ?? 0;
  return {
    message,
    advice: `${copy.region} holds ${count} custom images of project ${copy.projectId}. ${advice}`,
  };
}

/** After unclear answers: looks until each copy is found or would surely have been listed. Returns those not found. */
async function lookForUnclear(sending: Sending, unclear: Unclear[], sentAt: number): Promise<Unclear[]> {
  const { clock, signal, deadline, report, submission } = sending;
  if (unclear.length === 0) return [];
  const since = clock.now();
  for (const { copy } of unclear) submission.uncertain.set(copy.region, since);
  report({
    type: 'warning',
    problem: {
      message: `It is not clear whether a copy was made in ${unclear.map(({ copy }) => copy.region).join(', ')}: ${unclear[0]?.problem.message}`,
      advice: `Looking for it for up to ${LISTING_WINDOW / 1000} s before anything is sent again.`,
    },
  });
  let missing = unclear;
  const end = Math.min(since + LISTING_WINDOW, deadline);
  for (let pause = 1_000; missing.length > 0; pause = Math.min(pause * 1.5, 15_000)) {
    const left = end - clock.now();
    await clock.sleep(left > 0 ? Math.min(pause, left) : Math.min(pause, deadline - clock.now()), signal);
    const last = clock.now() >= end;
    const seen = await look(
      sending,
      missing.map(({ copy }) => copy),
      sentAt,
      last,
    );
    missing = missing.filter(({ copy }) => copy.imageId === null);
    // The window ends with a look that worked: a region that could not be read is not known to be empty.
    if (last && missing.every(({ copy }) => seen.has(copy.region))) {
      for (const { copy } of missing) copy.unclear = end < since + LISTING_WINDOW;
      break;
    }
    if (clock.now() >= deadline) break;
  }
  return missing;
}

/**
 * Lists the targets once and takes what this run made. Returns the regions that could be read. `orUnmarked`: the time
 * for a marked one is over, so one without a mark counts that may be ours where the site cuts or drops descriptions.
 */
async function look(
  sending: Sending,
  copies: Copy[],
  sentAt: number,
  orUnmarked: boolean,
): Promise<Set<string>> {
  const seen = new Set<string>();
  await Promise.all(
    copies.map(async (copy) => {
      const newcomers = await listNew(sending, copy);
      if (!newcomers) return;
      seen.add(copy.region);
      const { marked, unmarked } = newcomers;
      const sound = marked.find(({ State }) => State !== 'Unavailable');
      const cut = orUnmarked ? unmarked.filter((image) => mayBeCut(sending, copy, image)) : [];
      const alike = cut.find((image) => differences(sending.findings.source, image) === null);
      const found = sound ?? marked[0] ?? alike ?? cut[0];
      if (!found) return;
      // Its state is taken in by the wait, which verifies it too.
      settleAsMade(copy, found.ImageId, null, sentAt);
      copy.created = marked.length > 0;
      if (!copy.created) {
        sending.report({
          type: 'warning',
          problem: {
            message: `${copy.region}: ${found.ImageId} appeared under the name ${copy.name} after an unclear answer, without our mark. It is taken for this run's copy.`,
            advice: 'A rollback will not delete it, and a later run will not know it.',
          },
        });
      }
    }),
  );
  return seen;
}

/** Our copy, if the site has cut its description, or dropped it. */
function mayBeCut(sending: Sending, copy: Copy, image: Image): boolean {
  const sent = request(sending, copy).TargetImageDescription ?? '';
  return image.State !== 'Unavailable' && sent.startsWith(image.ImageDescription ?? '');
}

/** Images that were not there before this run; null when the region could not be read. The oldest first. */
async function listNew(
  sending: Sending,
  copy: Pick<Copy, 'region' | 'projectId' | 'name'>,
  patience = 0,
): Promise<{ marked: Image[]; unmarked: Image[] } | null> {
  const { cloud, order, findings, signal } = sending;
  let images: Image[];
  try {
    const query = { Region: copy.region, ProjectId: copy.projectId, ImageType: 'Custom' as const };
    images = await cloud.describeImages(query, { signal, patience });
  } catch (error) {
    if (error instanceof CloudError) return null;
    throw error;
  }
  const before = new Set(findings.held.get(copy.region)?.map(({ ImageId }) => ImageId));
  const fresh = images.filter(({ ImageId }) => !before.has(ImageId)).sort(byAge);
  const isOurs = (image: Image) => readMark(image.ImageDescription)?.run === order.run;
  return {
    marked: fresh.filter(isOurs),
    unmarked: fresh.filter(
      (image) => image.ImageName === copy.name && readMark(image.ImageDescription) === null,
    ),
  };
}

/** Refusals that pass: waits as the table says. */
async function beforeAgain(
  sending: Sending,
  again: { copy: Copy; error: CloudError }[],
  sourceWaits: Set<Copy>,
  round: number,
  sentAt: number,
): Promise<void> {
  const { clock, deadline, findings, signal, submission } = sending;
  if (again.length === 0) return;
  const pending = again.filter(({ error }) => error.verdict === 'source-pending');
  if (pending.length > 0) {
    for (const { copy, error } of pending) {
      if (sourceWaits.has(copy)) fail(copy, asProblem(error));
      sourceWaits.add(copy);
    }
    try {
      await available(sending, { ...findings.source, State: 'not ready to be copied' });
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      for (const { copy } of pending) if (error.problems[0]) fail(copy, error.problems[0]);
    }
  } else {
    const least = Math.max(...again.map(({ error }) => (error.waitSeconds ?? 0) * 1000));
    const backoff = Math.min(1_000 * 2 ** round, 30_000) * (0.5 + clock.random() / 2);
    const pause = Math.max(0, Math.min(Math.max(least, backoff), deadline - clock.now()));
    // Told ever more rarely: a throttle may last for an hour.
    if (Number.isInteger(Math.log2(round + 1))) {
      const message = `${again[0]?.error.message ?? ''}. It is sent again in ${Math.ceil(pause / 1000)} s.`;
      sending.report({ type: 'notice', message });
    }
    await clock.sleep(pause, signal);
  }
  // A refusal says that nothing ran, but that is a guess (API.md): one look costs little beside a doubled image.
  const refused = again
    .filter(({ copy, error }) => error.kind !== 'connection' && !copy.problem)
    .map(({ copy }) => copy);
  for (const { region } of refused) submission.uncertain.set(region, clock.now());
  await look(sending, refused, sentAt, false);
}

/**
 * After the wait: deletes what this run made by mistake or twice, and says so. A copy that was sent again after a
 * refusal is looked at once more when a first one would surely have been listed.
 */
export async function reconcile(
  context: Context,
  findings: Findings,
  copies: Copy[],
  submission: Submission,
): Promise<void> {
  const sending: Sending = { ...context, findings, submission, singles: false };
  const { clock, signal, deadline, report, order } = context;
  const doubtful = copies.filter((copy) => submission.uncertain.has(copy.region) && copy.plan === 'copy');
  if (doubtful.length === 0) return;
  const end = Math.max(
    ...doubtful.map(({ region }) => (submission.uncertain.get(region) ?? 0) + LISTING_WINDOW),
  );
  await clock.sleep(Math.max(0, Math.min(end, deadline) - clock.now()), signal);
  const suspects = [...submission.suspects]
    .filter((region) => !doubtful.some((copy) => copy.region === region))
    .map((region) => ({ region, projectId: order.target.projectId }));
  const wanted = new Set(copies.map(({ imageId }) => imageId));
  await Promise.all([
    ...suspects.map(async ({ region, projectId }) => {
      const newcomers = await listNew(sending, { region, projectId, name: '' }, LAST_PATIENCE);
      if (!newcomers) tellUnseen(context, region);
      for (const { ImageId } of newcomers?.marked ?? []) {
        if (wanted.has(ImageId)) continue;
        await discard(context, { region, projectId, imageId: ImageId }, 'was made without being asked for');
      }
    }),
    ...doubtful.map(async (copy) => {
      const { region, projectId } = copy;
      const newcomers = await listNew(sending, copy, LAST_PATIENCE);
      if (!newcomers) tellUnseen(context, region);
      const [late] = newcomers?.marked ?? [];
      if (copy.imageId === null && late) {
        settleAsMade(copy, late.ImageId, null, clock.now());
        copy.problem = null;
      }
      const isOther = ({ ImageId }: Image) => ImageId !== copy.imageId;
      const kept = newcomers?.marked.find((image) => !isOther(image));
      const isSound = copy.outcome !== 'failed' && kept !== undefined && kept.State !== 'Unavailable';
      for (const { ImageId, State } of newcomers?.marked.filter(isOther) ?? []) {
        if (isSound) {
          await discard(context, { region, projectId, imageId: ImageId }, 'was made twice');
          continue;
        }
        report({
          type: 'warning',
          problem: {
            message: `${region}: this run made a second copy, ${ImageId}, ${State ?? 'state unknown'}.`,
            advice: 'It was kept, since the first one failed or is not there: run again to adopt it.',
          },
        });
      }
      const strangers = newcomers?.unmarked.filter(isOther).map(({ ImageId }) => ImageId) ?? [];
      if (strangers.length > 0) {
        report({
          type: 'warning',
          problem: {
            message: `${copy.region}: other images named ${copy.name} appeared during this run: ${strangers.join(', ')}.`,
            advice:
              'They carry no mark, so they were left alone. One may be a second copy: delete it if nobody uses it.',
          },
        });
      }
    }),
  ]);
}

function tellUnseen({ report }: Context, region: string): void {
  report({
    type: 'warning',
    problem: {
      message: `${region} could not be listed at the end, so a second copy of this run may be there.`,
      advice: 'Look in the console for images whose description names this run.',
    },
  });
}

/** Deletes the images that a site made where nobody asked for them. */
export async function removeStrays(context: Context, { strays }: Submission): Promise<void> {
  await Promise.all(
    strays.splice(0).map((stray) => discard(context, stray, 'was made without being asked for')),
  );
}

async function discard(context: Context, image: Made, why: string): Promise<void> {
  const { region, projectId, imageId } = image;
  try {
    await context.cloud.terminateCustomImage(
      { Region: region, ProjectId: projectId, ImageId: imageId },
      { signal: context.signal, patience: LAST_PATIENCE },
    );
    const message = `${imageId} in ${region} ${why} by this run: it was deleted.`;
    context.report({ type: 'warning', problem: { message, advice: 'Nothing is to be done.' } });
  } catch (error) {
    const reason = error instanceof CloudError ? `${error.message}.` : 'the run was cancelled.';
    context.report({
      type: 'warning',
      problem: {
        message: `${imageId} in ${region} ${why} and may still be there: ${reason}`,
        advice: 'Delete it by hand.',
      },
    });
    if (!(error instanceof CloudError)) throw error;
  }
}
