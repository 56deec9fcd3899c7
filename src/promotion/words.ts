/** Every sentence after the plan. What fails a target begins with its region. */
import type { CopyAnswer, Image } from '../cloud/cloud.ts';
import type { CloudError } from '../cloud/errors.ts';
import { described } from './images.ts';
import { readMark } from './mark.ts';
import type { Order, Problem } from './model.ts';
import { some } from './near.ts';
import { type Held, type Place, type Run, WINDOW } from './place.ts';

const WINDOW_SECONDS = WINDOW / 1000;

/** Images named in one sentence. */
const MOST = 12;

export function lookFor({ projectId, name }: Place): string {
  return `Look for ${name} in the console, in project ${projectId}.`;
}

/** Of an image whose id is known. */
export function reuses({ ifExists }: Order): string {
  return ifExists === 'adopt' ? 'A re-run reuses it.' : 'A run with if-exists: adopt reuses it.';
}

/** What to do where a copy may exist, or be under way. True as well when a rollback has deleted it. */
export function resume({ ifExists }: Order): string {
  return ifExists === 'adopt'
    ? 'Re-run the job: it reuses a copy that exists.'
    : 'Set if-exists: adopt and run the workflow again: it reuses a copy that exists.';
}

const ids = (images: Image[]) => images.map(({ ImageId }) => ImageId).join(', ');
const regions = (places: Place[]) => places.map(({ region }) => region).join(', ');
const adopting = ({ ifExists }: Order) => (ifExists === 'adopt' ? '' : ' with if-exists: adopt');
export const whole = (text: string) => (/[.!?…]$/.test(text) ? text : `${text}.`);
export const ifNextFails = (imageId: string, taskId: string | null) =>
  `If the next copy fails too, give the vendor ${imageId}${taskId ? `, with task id ${taskId},` : ''} and the ids of the next copy.`;

// --- What CopyCustomImage answered

function notClear(place: Place, { requestId }: CopyAnswer, what: string): Problem {
  const request = requestId ? ` (request id ${requestId})` : '';
  return { message: `CopyCustomImage answered with ${what} is not clear${request}.`, advice: lookFor(place) };
}

/** `known`: the id that it has given, of an image that was there before. */
export function withoutId(place: Place, answer: CopyAnswer, known?: string): Problem {
  const { TargetImageId } = answer;
  const one = TargetImageId ? `one image, ${TargetImageId}, for all regions` : 'no image id';
  const what = known ? `${known}, which was there before` : one;
  return notClear(place, answer, `${what}, so whether it created a copy in ${place.region}`);
}

export function idTwice(place: Place, imageId: string, answer: CopyAnswer): Problem {
  return notClear(place, answer, `${imageId} for more than one region, so which copy is in ${place.region}`);
}

export function twoIds(place: Place, imageIds: string[], answer: CopyAnswer): Problem {
  return notClear(place, answer, `${imageIds.join(' and ')} for ${place.region}, so which is the copy there`);
}

export function notOurs(place: Place, image: Image): Problem {
  const { ImageId, ImageName, ImageDescription } = image;
  const what = readMark(ImageDescription)
    ? "carries a marker that is not this run's"
    : `is named ${ImageName} and carries no marker`;
  return {
    message: `${place.region}: the API answered with ${described(image)}, which ${what}. That is not this run's copy, so the action searches for it by its marker.`,
    advice: `${lookFor(place)} If the copy is there, use it by its id. If not, give ${ImageId} to the vendor's support, then re-run the job.`,
  };
}

export function notTheCopy({ region }: Place, images: Image[]): Problem {
  return {
    message: `${region}: the API answered with ${ids(images)}, without a marker. The copy is another image, which carries this run's marker.`,
    advice: `The action left ${ids(images)} alone. Delete it if nobody uses it.`,
  };
}

export function oneForList(places: Place[], imageId: string): string {
  return `The API endpoint answered for ${places.length} regions with one image, ${imageId}. The action searches each for it.`;
}

export function lastLookIn(places: Place[], ms: number): string {
  return `CopyCustomImage for ${regions(places)} was refused, or not answered clearly: a last look in ${Math.ceil(ms / 1000)} s makes sure that it created no copy unseen.`;
}

export function unclear(places: Place[]): string {
  const [first] = places;
  return `It is not clear whether a copy was created in ${regions(places)}${first?.answer ? `: ${first.answer.message}` : '.'} The action searches for it for up to ${WINDOW_SECONDS} s.`;
}

// --- What a listing shows

export function nothingKnown(place: Place): Problem {
  return { message: `No answer is known for ${place.region}.`, advice: lookFor(place) };
}

export function absent({ region }: Place): string {
  return `No copy appeared in ${region} within ${WINDOW_SECONDS} s: the action sends CopyCustomImage again.`;
}

export function unclearTooOften({ order }: Run, place: Place, { message, advice }: Problem): Problem {
  const { region, projectId, unclears } = place;
  return {
    message: `${region}: no copy was listed, though CopyCustomImage was sent ${unclears} times and no answer was clear. Up to ${unclears} copies can still appear there. The last answer: ${message}`,
    advice: `${advice} Wait 5 minutes, then re-run the job${adopting(order)}: it reuses a copy that has appeared. After that look in these regions of project ${projectId} alone for images with "by ${order.run}" in the description, and delete those that are not in the outputs of the re-run.`,
  };
}

export function stranger(place: Place, images: Image[], { message }: Problem): Problem {
  const { region, name, projectId, sentAt } = place;
  return {
    message: `${region}: after an unclear answer ${images.map(described).join(', ')} appeared under the name ${name} without this run's marker in the description. It may be this run's copy or somebody else's image, so the action does not hand it out. The unclear answer: ${message}`,
    advice: `Look at ${ids(images)} in the console, in project ${projectId}: an image created before ${new Date(sentAt).toISOString().slice(0, 16)}Z, when this run asked for its copy, is not the copy. If ${images.length > 1 ? 'one of them' : 'it'} is the copy, use it by its id and do not re-run the job. If not, re-run the job: it leaves what is there alone and copies again.`,
  };
}

export function listedNowhere(imageId: string, region: string): Problem {
  return {
    message: `${imageId}, with which the API answered for a list of regions, was never listed with this run's marker, neither in a target region nor in ${region}.`,
    advice: 'If it is none of the copies in the end, delete it by hand.',
  };
}

export function copiedMark({ region }: Place, images: Image[]): Problem {
  return {
    message: `${region}: this run's marker is in the description of ${ids(images)}, with which the API did not answer. Somebody may have copied the marker.`,
    advice: 'The action left it alone. Delete it if nobody uses it.',
  };
}

export function namesakes({ region, name }: Place, images: Image[]): Problem {
  return {
    message: `${region}: other images named ${name} appeared during this run: ${ids(images)}.`,
    advice:
      'They carry no marker, so the action left them alone. One may be a duplicate: delete it if nobody uses it.',
  };
}

export function keptSecond({ order }: Run, { region }: Place, images: Image[]): Problem {
  const told = images.map(({ ImageId, State }) => `${ImageId} (${State ?? 'state unknown'})`).join(', ');
  return {
    message: `${region}: this run created a second copy, ${told}.`,
    advice: `The action did not delete it. ${resume(order)} Delete what is left over.`,
  };
}

export function olderTwin({ region }: Place, { ImageId }: Image, images: Image[]): Problem {
  return {
    message: `${region}: another run is copying there, too: ${images.map(described).join(', ')}. It is the older one, so that run hands it out, and not ${ImageId}.`,
    advice: `A re-run reuses the older one when it is Available. Then delete ${ImageId} if nobody uses it.`,
  };
}

export function unreadable({ order }: Run, { region, answer }: Place, error: CloudError): Problem {
  return {
    message: `${region}: whether a copy exists is not known, and the region cannot be listed: ${whole(error.message)}${answer ? ` What was not clear: ${answer.message}` : ''}`,
    advice: `${error.advice} ${resume(order)}`,
  };
}

export function unlooked({ region }: Place, error: CloudError): string {
  return `${region} cannot be listed: ${whole(error.message)} The action sends CopyCustomImage again when a list shows that the one that was refused created nothing.`;
}

export function lastLookFailed({ order }: Run, { region, doubt }: Place, error: CloudError): Problem {
  const what = doubt
    ? 'a second copy of this run may be there'
    : 'whether another run copied there at the same time is not known';
  return {
    message: `${region}: the list of images could not be read at the end, so ${what}. ${whole(error.message)}`,
    advice: `When the list can be read again, a re-run${adopting(order)} reuses the oldest copy that is there and names any other.`,
  };
}

// --- What becomes of a copy

export function notListedYet({ region }: Place, { imageId }: Held): string {
  return `${region}: the API answered with ${imageId}, but does not list it yet. The action waits for it until the timeout.`;
}

export function gone({ imageId }: Held): Problem {
  return {
    message: `${imageId} was listed and is not any more: somebody deleted it.`,
    advice: 'Find out who deletes images in this project, then re-run the job.',
  };
}

export function insteadOf({ message }: Problem, { imageId }: Held, other: string): Problem {
  return {
    message: `${message} The action reuses ${other} instead.`,
    advice: `Delete ${imageId} if it is still there and nobody uses it.`,
  };
}

export function broken({ imageId, taskId, state }: Held): Problem {
  return {
    message: `the copy ${imageId} ended ${state}.`,
    advice: `It cannot boot a machine: delete it before the next run. ${ifNextFails(imageId, taskId)}`,
  };
}

export function unknownState(state: string): Problem {
  return {
    message: `The API reports a state that is not documented: ${state}.`,
    advice: 'The action takes it for "still under way". If copies stay in it, ask the vendor what it means.',
  };
}

export function markLost(places: Place[]): Problem {
  const images = places.map(({ region, held }) => `${held?.imageId} in ${region}`);
  return {
    message: `No whole marker is in the description of ${some(images, MOST)}: this API endpoint drops or cuts descriptions, or it has answered with another image. A re-run cannot recognise such copies and would copy again.`,
    advice: 'Keep the ids of this run, and do not re-run it for these regions.',
  };
}

/** `Tag` is documented as a filter of lists with a default; whether one applies is not known. */
export function notInList({ region }: Place, { imageId }: Held): Problem {
  return {
    message: `${region}: ${imageId} can be read by its id and is not in the list of the region, perhaps because of target-image-tag: a re-run would not recognise it and would copy again.`,
    advice: 'Keep the ids of this run, or leave target-image-tag out.',
  };
}

export function markEdited({ region }: Place, { imageId }: Held): Problem {
  return {
    message: `${region}: the description of ${imageId} does not carry this run's marker, though this API endpoint keeps markers: somebody edited it, or it is another image.`,
    advice: 'Look at it in the console before you use it. A re-run cannot recognise it and copies again.',
  };
}

export function renamed({ region, name }: Place, { imageId }: Held, other: string): Problem {
  return {
    message: `${region}: ${imageId} is listed under the name ${other} instead of ${name}, so a re-run does not recognise it and would copy again.`,
    advice: 'Set target-image-name to the name as it is listed, or keep the ids of this run.',
  };
}

export function trouble({ region }: Place, { imageId }: Held, error: CloudError | null): string {
  if (!error) return `${region}: the state of ${imageId} can be read again.`;
  return `${region}: the state of ${imageId} cannot be read: ${whole(error.message)} The action keeps trying until the timeout.`;
}
