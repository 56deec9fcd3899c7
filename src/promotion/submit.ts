import type { Clock } from '../cloud/clock.ts';
import type { CopyAnswer, CopyInfo, CopyRequest } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import type { Findings } from './check.ts';
import { asProblem, type Context, Stopped } from './context.ts';
import { look, lookForUnclear, type Unclear } from './look.ts';
import type { Copy, Problem } from './model.ts';
import { settleAsSource } from './plan.ts';
import { available } from './source.ts';
import { descriptionOf, type Sending, type Submission, settleAsMade } from './submission.ts';

/** Rounds of sending for one target whose answers were unclear, so that an unknown code is not asked for two hours. */
const ATTEMPTS = 4;

/** After a cancel, an answer that is under way is waited for: its ids are worth more than these milliseconds. */
const GRACE = 3_000;

/** At most so many single calls at once, on a site without batches. */
const ABREAST = 8;

/** `singles`: the site does not know TargetRegionList. */
type Site = Sending & { singles: boolean };

/** What one CopyCustomImage says about one target. */
type Answer =
  | { kind: 'made'; imageId: string; taskId: string | null }
  | { kind: 'source' }
  | { kind: 'final'; problem: Problem }
  | { kind: 'again'; error: CloudError }
  /** Cancelled before the answer came. */
  | { kind: 'lost' }
  | { kind: 'unclear'; problem: Problem };

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
  const site: Site = { ...context, findings, submission, singles: false };
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
    await send(site, open, (answers) => {
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

    const missing = await lookForUnclear(site, unclear, sentAt);
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
    await beforeAgain(site, again, sourceWaits, round, sentAt);
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

function fail(copy: Copy, problem: Problem): void {
  copy.outcome = 'failed';
  copy.problem = problem;
}

type Take = (answers: Iterable<[Copy, Answer]>) => void;

/** Every answer is handed on as soon as it is there. */
async function send(site: Site, open: Copy[], take: Take): Promise<void> {
  const answers = new Map<Copy, Answer>();
  if (open.length > 1 && !site.singles) {
    await sendBatch(site, open, answers);
    take(answers);
  }
  const queue = open.filter((copy) => !answers.has(copy));
  await Promise.all(
    Array.from({ length: ABREAST }, async () => {
      for (let copy = queue.shift(); copy; copy = queue.shift()) {
        if (site.signal.aborted || site.clock.now() >= site.deadline) return;
        take([[copy, await sendSingle(site, copy)]]);
      }
    }),
  );
}

function request({ order, findings }: Sending, copy: Copy): CopyRequest {
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
  const info = answer.Infos?.find(({ TargetRegion }) => isSame(TargetRegion ?? copy.region, copy.region));
  return madeBy(sending, copy, answer, answer.TargetImageId ? answer : info);
}

/** Only a new id is believed: one that was there before the copy would be handed out, or deleted, as ours. */
function madeBy({ findings }: Sending, copy: Copy, answer: CopyAnswer, info: CopyInfo | undefined): Answer {
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
async function sendBatch(site: Site, open: Copy[], answers: Map<Copy, Answer>): Promise<void> {
  const { submission, report } = site;
  const [first] = open;
  if (!first) return;
  const regions = open.map(({ region }) => region);
  const answer = await call(site, { ...request(site, first), TargetRegionList: regions });
  const forAll = (of: (copy: Copy) => Answer) => {
    for (const copy of open) answers.set(copy, of(copy));
  };
  if (answer === null) {
    forAll(() => ({ kind: 'lost' }));
    return;
  }
  if (!(answer instanceof CloudError)) {
    if (answer.Infos?.length) takeBatch(site, open, answer, answers);
    else takeIgnored(site, open, answer, answers);
    return;
  }
  if (answer.verdict !== 'final') suspectSource(site, regions);
  if (answer.verdict === 'nothing-to-copy') {
    // In a batch only a site that ignored the list can say so: it was asked to copy into the source region.
    site.singles = true;
    for (const region of regions) submission.uncertain.set(region, site.clock.now());
    report({ type: 'notice', message: 'This site knows no batch: the regions are copied to one by one.' });
    return;
  }
  // Should the site know no batch, each one more would make one more image where nobody looks for it.
  if (answer.verdict === 'ambiguous') site.singles = true;
  forAll((copy) => fromError(site, copy, answer));
}

/** A site that ignored the list made its one image, if any, in the source region. */
function suspectSource({ order, submission }: Site, regions: string[]): void {
  if (!regions.includes(order.source.region)) submission.suspects.add(order.source.region);
}

function takeBatch(site: Site, open: Copy[], answer: CopyAnswer, answers: Map<Copy, Answer>): void {
  const { order, findings, submission } = site;
  const infos = answer.Infos ?? [];
  for (const copy of open) {
    const info = infos.find(({ TargetRegion }) => isSame(TargetRegion ?? '', copy.region));
    answers.set(copy, madeBy(site, copy, answer, info));
  }
  const taken = [...answers.values()].map((given) => (given.kind === 'made' ? given.imageId : ''));
  for (const { TargetRegion, TargetImageId: imageId } of infos) {
    if (!TargetRegion || !imageId || taken.includes(imageId)) continue;
    const region = open.find((copy) => isSame(copy.region, TargetRegion))?.region ?? TargetRegion;
    if (!isNew(findings, region, imageId)) continue;
    submission.strays.push({ region, projectId: order.target.projectId, imageId });
  }
}

/** The site ignored the list: one copy was made, into the source region. */
function takeIgnored(site: Site, open: Copy[], answer: CopyAnswer, answers: Map<Copy, Answer>): void {
  const { order, findings, submission, report } = site;
  const { TargetImageId: imageId } = answer;
  site.singles = true;
  if (!imageId) {
    suspectSource(
      site,
      open.map(({ region }) => region),
    );
    for (const copy of open) answers.set(copy, { kind: 'unclear', problem: withoutId(copy, answer) });
    return;
  }
  const { region } = order.source;
  const wanted = open.find((copy) => copy.region === region);
  if (wanted) answers.set(wanted, madeBy(site, wanted, answer, answer));
  else if (isNew(findings, region, imageId)) {
    submission.strays.push({ region, projectId: order.target.projectId, imageId });
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
  // A refusal says that nothing ran, but no page of the API promises that: one look costs little beside a doubled image.
  const refused = again
    .filter(({ copy, error }) => error.kind !== 'connection' && !copy.problem)
    .map(({ copy }) => copy);
  for (const { region } of refused) submission.uncertain.set(region, clock.now());
  await look(sending, refused, sentAt, false);
}
