/** How a promotion has ended: in words, and in one. */
import { Stopped } from './context.ts';
import { formatDuration } from './duration.ts';
import type { Copy, Order, Problem, Promotion, Status } from './model.ts';
import { isOpen, isWanting, type Place } from './place.ts';
import { copiesOf, copyOf } from './view.ts';
import { LOOK, resume, whole } from './words.ts';

/** Why a target is not settled when the promotion has ended. */
export function unsettled(place: Place, order: Order, ended: 'cancelled' | 'timeout' | 'stopped'): Problem {
  const { answer, trouble } = place;
  const { region, imageId, unclear: isUnclear, listed, state, taskId } = copyOf(place);
  const limit = `the timeout of ${formatDuration(order.timeout / 1000)}`;
  const longer = ended === 'timeout' ? 'Give a longer timeout. ' : '';
  const when =
    ended === 'cancelled'
      ? 'when the step was cancelled'
      : ended === 'timeout'
        ? `after ${limit}`
        : 'when the promotion ended';
  const last = [
    ...(imageId === null && answer ? [` The last answer: ${answer.message}`] : []),
    ...(trouble ? [` It could not be read: ${trouble.message}`] : []),
  ].join('');
  if (imageId !== null && !listed) {
    const task = taskId ? `, with the task id ${taskId},` : '';
    return {
      message: `${region}: ${imageId} was never listed ${when}.${last}`,
      advice: `Look for it in the console before you re-run the job. If it does not appear, give its id${task} to the vendor's support.`,
    };
  }
  if (imageId !== null)
    return {
      message: `${region}: ${imageId} ${state === null ? 'was started, and its state was not read' : `is still ${state}`} ${when}; the copy continues in the cloud.${last}`,
      advice: `${longer}${resume(order)}`,
    };
  if (isUnclear)
    return {
      message: `${region}: it is not known whether a copy exists ${when}.${last}`,
      advice: `${answer?.advice ?? LOOK} ${longer}${resume(order)}`,
    };
  return {
    message: `${region}: no copy ${place.unclears > 0 ? 'appeared' : 'was created'} ${when === `after ${limit}` ? `within ${limit}` : `before the step ended`}.${last}`,
    advice: `${answer ? `${answer.advice} ` : ''}${ended === 'timeout' ? 'Re-run the job, or give a longer timeout.' : 'Re-run the job.'}`,
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
  if (counted.length === 0 || failed === counted.length) return 'failed';
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
