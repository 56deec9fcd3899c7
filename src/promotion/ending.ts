/** How a promotion has ended: in words, and in one. */
import { Stopped } from './context.ts';
import { formatDuration } from './duration.ts';
import type { Copy, Order, Problem, Promotion, Status } from './model.ts';
import { type Held, isOpen, isWanting, type Place } from './place.ts';
import type { Rollback } from './rollback.ts';
import { copiesOf, copyOf } from './view.ts';
import { ifNextFails, lookFor, resume, reuses, whole } from './words.ts';

/** Asked for in time, and no request was sent. */
const HELD_UP =
  ' CopyCustomImage was still waiting for its turn: the API throttles this account, or is slow to answer.';

type End = 'cancelled' | 'timeout' | 'stopped';

/** As what a target is told that is not settled when the promotion has ended, at `now`. */
export function unsettled(place: Place, order: Order, ended: End, now: number): Problem {
  const { region, answer, trouble, held, sentAt } = place;
  const limit = `the timeout of ${formatDuration(order.timeout / 1000)}`;
  const [when, by] = {
    cancelled: ['when the step was cancelled', 'before the step was cancelled'],
    timeout: [`after ${limit}`, `within ${limit}`],
    stopped: ['when the promotion ended', 'before the promotion ended'],
  }[ended] as [string, string];
  if (held) {
    const isMissing = held.misses > 0 && !trouble;
    const problem = isMissing
      ? missing(place, held, order, { by, now })
      : unfinished(place, held, order, when);
    return withOwn(place, held, problem);
  }
  const last = [
    ...(answer ? [` The last answer: ${answer.message}`] : []),
    ...(!answer && sentAt > 0 && ended === 'timeout' ? [HELD_UP] : []),
    ...(trouble ? [` The region could not be listed: ${trouble.message}`] : []),
  ].join('');
  if (copyOf(place).unclear)
    return {
      message:
        place.unclears > 0 || place.refusals === 0
          ? `${region}: it was not known whether a copy exists ${when}.${last}`
          : `${region}: no copy was listed ${by}. The API refused ${place.refusals > 1 ? `each of ${place.refusals} requests, and may have carried one` : 'the request, and may have carried it'} out all the same.${last}`,
      advice:
        ended === 'stopped'
          ? `${answer?.advice ?? lookFor(place)} ${resume(order)}`
          : withoutRerun(answer?.advice ?? lookFor(place)),
    };
  const longer =
    ended === 'timeout'
      ? `. If ${formatDuration(order.timeout / 1000)} is often too short, raise timeout in the workflow`
      : '';
  return {
    message: `${region}: no copy ${place.unclears > 0 ? 'appeared' : 'was created'} ${by}.${last}`,
    advice: `${answer ? `${answer.advice} ` : ''}Re-run the job${longer}.`,
  };
}

/** After a timeout or a cancel the next step is a re-run of all. */
function withoutRerun(advice: string): string {
  return advice.replace('Re-run the job in a few minutes; if it lasts', 'If it lasts');
}

function unfinished(
  { region, trouble }: Place,
  { imageId, state }: Held,
  order: Order,
  when: string,
): Problem {
  const copy = `${region}: ${imageId}`;
  if (trouble)
    return {
      message: `${copy} was started, and its state was not known ${when}. It could not be read: ${trouble.message}`,
      advice: `${trouble.advice} ${reuses(order).replace('it.', 'the copy.')}`,
    };
  const what = state === null ? 'was started, and its state was not read yet' : `was still ${state}`;
  return { message: `${copy} ${what} ${when}.`, advice: `The copy continues in the cloud. ${reuses(order)}` };
}

/** Another run's image is waited for, and what this run made is still there. */
function withOwn({ own }: Place, { imageId }: Held, { message, advice }: Problem): Problem {
  const others = own.filter((id) => id !== imageId).join(', ');
  if (others === '') return { message, advice };
  return {
    message: `${message} This run also created ${others}.`,
    advice: `${advice} When ${imageId} is Available, delete ${others} if still there.`,
  };
}

/** The last reads have missed it. */
function missing(
  place: Place,
  { imageId, taskId, seenAt }: Held,
  order: Order,
  { by, now }: { by: string; now: number },
): Problem {
  const { region, projectId, name, sends, unclears } = place;
  const what =
    seenAt === null
      ? `was not listed ${by}.`
      : `was last listed ${formatDuration((now - seenAt) / 1000)} before the end, and not since.`;
  const message = `${region}: ${imageId} ${what}`;
  if (sends > 1 && unclears > 0)
    return {
      message: `${message} An earlier CopyCustomImage, whose answer was not clear, may have created another copy.`,
      advice: `Look in the console, in project ${projectId}, for every image named ${name}, and delete all but one. ${reuses(order)}`,
    };
  const task = taskId ? ` and its task id ${taskId}` : '';
  const gone =
    seenAt === null
      ? `a re-run copies again: give its id${task} to the vendor's support`
      : 'somebody deleted it, and a re-run copies again';
  return {
    message,
    advice: `Look for it in the console, in project ${projectId}. If it exists, ${reuses(order).replace('A r', 'a r')} If not, ${gone}.`,
  };
}
/** The line of a cancelled step that says what continues in the cloud. */
function cancelled(places: Place[], order: Order): Problem {
  const copies = copiesOf({ places });
  const isOpen = ({ imageId, finishedAt, plan }: Copy) =>
    imageId !== null && finishedAt === null && plan !== 'source';
  const open = copies.filter(isOpen).map(({ region, imageId }) => `${imageId} in ${region}`);
  const possible = copies.filter((copy) => copy.unclear && copy.imageId === null).map(({ region }) => region);
  if (open.length === 0 && possible.length === 0) {
    return places.some(({ sentAt }) => sentAt > 0)
      ? { message: 'Cancelled. No copy is under way any more.', advice: resume(order) }
      : { message: 'Cancelled before anything was copied.', advice: 'Re-run the job.' };
  }
  const message = [
    'Cancelled.',
    ...(open.length > 0 ? [`Still copying in the cloud: ${open.join(', ')}.`] : []),
    ...(possible.length > 0 ? [`A copy may be under way in ${possible.join(', ')}.`] : []),
  ].join(' ');
  return { message, advice: resume(order) };
}

export function tooLate(timeout: number): Problem {
  return {
    message: `The timeout of ${formatDuration(timeout / 1000)} was over before the first copy. Nothing was copied.`,
    advice: 'Give a longer timeout.',
  };
}

function defect(error: unknown, order: Order): Problem {
  return {
    message: `The action itself failed: ${whole(error instanceof Error ? error.message : String(error))}`,
    advice: `This is a defect of the action: please report it. ${resume(order)}`,
  };
}

export function isSettled(place: Place, waited: boolean): boolean {
  if (place.problem) return true;
  const hasVanished = place.plan === 'adopt' && (place.held?.misses ?? 0) > 0;
  return !isWanting(place) && place.held !== null && (!isOpen(place) || !(waited || hasVanished));
}

export function endOf(
  { problems, copies }: Promotion,
  signal: AbortSignal,
  late: boolean,
): Promotion['ended'] {
  if (signal.aborted) return 'cancelled';
  if (late && copies.some(({ problem, finishedAt }) => problem && finishedAt === null)) return 'timeout';
  return problems.length > 0 ? 'stopped' : 'complete';
}

/** Optional targets do not count, unless there are no others. */
export function statusOf({ copies, problems }: Promotion, dryRun: boolean): Status {
  const required = copies.filter(({ optional }) => !optional);
  const counted = required.length > 0 ? required : copies;
  const failed = counted.filter(({ outcome }) => outcome === 'failed').length;
  if (failed === counted.length) return 'failed';
  if (failed > 0) return 'partial';
  if (problems.length > 0) return 'failed';
  if (dryRun) return 'planned';
  return counted.every(({ outcome, state }) => outcome === 'source' || state === 'Available')
    ? 'available'
    : 'copying';
}

export function problemsOf(
  error: unknown,
  { signal, order }: { signal: AbortSignal; order: Order },
  places: Place[],
): Problem[] {
  if (error instanceof Stopped) return error.problems;
  return [signal.aborted ? cancelled(places, order) : defect(error, order)];
}

/** What a promotion is after a rollback in its own step. The reasons why targets failed stay. */
export function rolledBack(promotion: Promotion, { deleted, left }: Omit<Rollback, 'problems'>): void {
  if (deleted.length + left.length === 0) return;
  const because = promotion.copies.flatMap(({ region, problem, optional }) =>
    problem && !optional ? [region] : [],
  );
  promotion.rollback = { by: 'step', because, deleted, left };
  const failed = promotion.ended === 'timeout' ? 'did not finish in time' : 'failed';
  const cause =
    promotion.ended === 'cancelled'
      ? 'the step was cancelled'
      : `${because.join(', ') || 'the step'} ${failed}`;
  for (const copy of promotion.copies) {
    const { region, imageId, taskId, problem } = copy;
    const found = deleted.filter((image) => image.region === region);
    const ids = found.map((image) => image.imageId);
    copy.others = copy.others.filter((id) => !ids.includes(id));
    const gone = found.find((image) => image.imageId === imageId);
    const kept = left.find((image) => image.region === region && image.imageId === imageId);
    if (gone) {
      const what = gone.absent ? 'found it gone' : 'deleted it';
      copy.problem = problem
        ? {
            message: `${problem.message} The rollback ${what}.`,
            advice: copy.pending ? '' : ifNextFails(gone.imageId, taskId),
          }
        : {
            message: `${region}: the rollback ${what.replace('it', gone.imageId)}, because ${cause}.`,
            advice: '',
          };
      copy.state = 'Deleted';
      copy.created = false;
      copy.outcome = 'failed';
    } else if (problem && kept) {
      const advice = copy.pending ? '' : problem.advice;
      copy.problem = { message: `${problem.message} The rollback has not deleted it.`, advice };
    } else if (kept?.unusable) {
      const message = `${region}: ${imageId} is left over from the rollback. Do not use it: see the warning.`;
      copy.problem = { message, advice: '' };
      copy.outcome = 'failed';
    } else if (problem && ids.length > 0) {
      const message = `${problem.message} The rollback found and deleted ${ids.join(', ')}.`;
      // Without an image of its own, nothing is left to look for.
      copy.problem = { message, advice: imageId === null && copy.pending ? '' : problem.advice };
      if (imageId === null) copy.pending = false;
    }
  }
  if (promotion.copies.every(({ outcome }) => outcome === 'failed')) promotion.status = 'failed';
}

export function mayAppear(places: Place[], { wait, run }: Order): Problem {
  return {
    message: `CopyCustomImage was sent more than once for ${places.map(({ region }) => region).join(', ')}, and an answer was not clear: a second copy may still appear there.`,
    advice: wait
      ? `Look there in a few minutes for a second image with "by ${run}" in its description, and delete the one that is not in the outputs.`
      : 'Re-run the job with wait: true: it reuses one of the copies. Delete the other if it appears.',
  };
}
