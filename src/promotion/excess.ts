/** What a run made beside what was wanted: deleted, and told. */
import type { CallOptions, Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { isMarkedBy, signerOf } from './mark.ts';
import type { Problem } from './model.ts';
import { polled, tell } from './observe.ts';
import { isOpen, isWanting, type Place, type Run } from './place.ts';
import { isDeleting } from './verify.ts';
import { copiesOf } from './view.ts';

/** An image that is to be deleted. */
export interface Excess {
  imageId: string;
  why: string;
  /** A list was answered with it: where it carries our mark, it is all that the list has made. */
  isAnswer?: true;
  /** When its delete was sent first; when it is to be read, and deleted, next; why the delete failed. */
  sentAt?: number;
  at?: number;
  trouble?: string;
}

export const UNASKED = 'without being asked to';
export const SECOND = 'as a duplicate';

/** Milliseconds for which the last reads and the deletes are repeated at least, beyond the timeout if need be. */
export const LAST_PATIENCE = 30_000;

/** Milliseconds for which an image is deleted again that is still there, and between two such deletes. */
const LONGEST_DELETE = 60_000;
const AGAIN = 5_000;

/** Milliseconds for which a call that is refused is repeated when the step has nothing else to wait for. */
const LONGEST_REFUSED = 180_000;

const DENIED = 'the API answers that there is no such image (RetCode 8956), and lists it all the same';
const STILL_LISTED = 'the API accepted the delete, and still lists the image';

/** Once: a delete that is refused is not asked for again. */
export function removeUnasked(run: Run, place: Place, imageId: string): void {
  const fact = `unasked ${imageId} in ${place.region}`;
  if (run.told.has(fact)) return;
  run.told.add(fact);
  const isAnswer = place.own.includes(imageId);
  place.excess.push({ imageId, why: UNASKED, ...(isAnswer ? { isAnswer } : {}) });
  if (isAnswer) place.own = [];
}

/**
 * Deletes the first of them: an id alone is not enough to delete by, and an answer is not enough to call it deleted. It
 * is read before and after; what an accepted delete leaves there is deleted again.
 */
export async function remove(run: Run, place: Place): Promise<void> {
  const { clock, order } = run;
  const [first] = place.excess as [Excess];
  const { imageId, sentAt } = first;
  try {
    // A list may still show what was deleted: ours is not given up for such an image.
    const kept = first.why === SECOND && place.held && !place.held.created ? place.held : null;
    if (kept && !(await read(run, place, kept.imageId))) {
      polled(run, place, undefined);
      place.excess = [];
      return;
    }
    const image = await read(run, place, imageId);
    const isOurs = image && isMarkedBy(order.run, image.ImageDescription, signerOf(order));
    if (isOurs && first.isAnswer) place.doubt = null;
    if (sentAt !== undefined && (!image || isDeleting(image))) gone(run, place, removed(place, first));
    else if (image && !isOurs) over(run, place, foreign(place, first));
    else if (sentAt !== undefined && clock.now() >= sentAt + LONGEST_DELETE)
      over(run, place, notRemoved(place, first, first.trouble ?? STILL_LISTED));
    else await send(run, place, first, image);
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    // What is refused while it is copied may be deleted later, if the step goes on that long.
    if (goesOn(run, place) && !error.decisive) {
      first.at = clock.now() + AGAIN;
      if (sentAt !== undefined) first.sentAt = clock.now();
    } else over(run, place, notRemoved(place, first, first.trouble ?? error.message));
  }
}

async function read(run: Run, place: Place, imageId: string): Promise<Image | undefined> {
  const query = { Region: place.region, ProjectId: place.projectId, ImageIds: [imageId] };
  const images = await run.cloud.describeImages(query, optionsOf(run));
  return images.find(({ ImageId }) => ImageId === imageId);
}

function optionsOf({ clock, deadline, signal }: Run): CallOptions {
  const left = Math.max(LAST_PATIENCE, deadline - clock.now());
  return { signal, patience: Math.min(LONGEST_REFUSED, left), persist: true };
}

/** One delete, of what was read as `image`. */
async function send(run: Run, place: Place, first: Excess, image: Image | undefined): Promise<void> {
  const { cloud, clock } = run;
  const { imageId, sentAt } = first;
  const target = { Region: place.region, ProjectId: place.projectId, ImageId: imageId };
  const wasThere = await cloud.terminateCustomImage(target, optionsOf(run)).catch((error) => {
    // The answer alone may be lost: what is read next tells.
    if (!(error instanceof CloudError) || error.decisive || sentAt !== undefined || !image) throw error;
    first.trouble = error.message;
  });
  first.sentAt ??= clock.now();
  first.at = sentAt === undefined ? clock.now() : clock.now() + AGAIN;
  if (wasThere) return;
  if (sentAt !== undefined && first.trouble === undefined) gone(run, place, removed(place, first));
  else if (image) first.trouble ??= DENIED;
  else gone(run, place, unlisted(place, first));
}

/** The step waits for another place, and not for this one: its own image would not be read meanwhile. */
function goesOn({ places, order, clock, deadline }: Run, place: Place): boolean {
  const isAwaited = (other: Place) => isWanting(other) || (order.wait && isOpen(other));
  return clock.now() < deadline && !isAwaited(place) && places.some(isAwaited);
}

function over(run: Run, place: Place, problem: Problem): string {
  tell(run, problem);
  const { imageId } = place.excess.shift() as Excess;
  run.told.add(doneWith(place, imageId));
  return imageId;
}

/** The fact that an image was deleted, or is left: a later look does not begin with it again. */
export function doneWith({ region }: Place, imageId: string): string {
  return `done with ${imageId} in ${region}`;
}

function gone(run: Run, place: Place, problem: Problem): void {
  const imageId = over(run, place, problem);
  place.own = place.own.filter((id) => id !== imageId);
  // What the call made that was one too many is known.
  place.sends -= 1;
  run.report({ type: 'ids', copies: copiesOf(run) });
}

/** The fact that a warning has named an image that may be deleted yet. */
export function namedIn({ region }: Place, imageId: string): string {
  return `named ${imageId} in ${region}`;
}

/** In the end: what is left of what was to be deleted, and what was made beside another image and never listed. */
export function tellLeft(run: Run, place: Place): void {
  const { held, plan, own } = place;
  for (const one of place.excess.splice(0))
    tell(run, notRemoved(place, one, 'the step ended before it was deleted'));
  // Where that image is still waited for, its own words name them.
  if (plan !== 'copy' || !held || (isOpen(place) && run.order.wait)) return;
  const isTold = (id: string) => run.told.has(doneWith(place, id)) || run.told.has(namedIn(place, id));
  for (const imageId of own.filter((id) => id !== held.imageId && !isTold(id)))
    tell(run, unlisted(place, { imageId, why: SECOND }));
}

function created({ region }: Place, { imageId, why }: Excess): string {
  return `This run created ${imageId} in ${region} ${why}`;
}

function foreign({ region }: Place, { imageId, why }: Excess): Problem {
  return {
    message: `The API answered with ${imageId} in ${region} ${why}, but its description has no marker of this run.`,
    advice: 'The action left it alone. If it is a copy of this run, delete it by hand.',
  };
}

function removed(place: Place, excess: Excess): Problem {
  const { region, held } = place;
  if (excess.why !== SECOND || held?.created !== false)
    return {
      message: `${created(place, excess)}; the action deleted it.`,
      advice: 'There is nothing to do.',
    };
  return {
    message: `${region}: another run copied there at the same time. This run reuses its image ${held.imageId}, and deleted its own ${excess.imageId} as a duplicate.`,
    advice: 'To let such runs wait for each other, set concurrency in the workflow.',
  };
}

function unlisted(place: Place, excess: Excess): Problem {
  return {
    message: `${created(place, excess)}; it is not listed, so it is gone or very new.`,
    advice: 'Delete it by hand if it appears.',
  };
}

function notRemoved(place: Place, excess: Excess, reason: string): Problem {
  return {
    message: `${created(place, excess)}, and it may still exist: ${reason}.`,
    advice: 'Delete it by hand.',
  };
}
