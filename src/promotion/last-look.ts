import type { Image } from '../cloud/cloud.ts';
import { doneWith, namedIn, SECOND } from './excess.ts';
import { byAge } from './images.ts';
import { withoutCopiedMarks } from './mark.ts';
import { hold, miss, observe, own, tell } from './observe.ts';
import { type Held, isOpen, type Place, type Run, WINDOW } from './place.ts';
import { differences, isAvailable, isPending, soundOf } from './verify.ts';
import * as words from './words.ts';

/** What a listing holds that was not there before this run, the oldest first; and all that it holds. */
export interface Newcomers {
  all: Image[];
  /** Marked by this run, or known by its id. */
  ours: Image[];
  /** Of these, those that are marked. */
  marked: Image[];
  /** Marked by another run as a copy of the same source, under the same name. */
  twins: Image[];
  /** Of our name, without a mark that counts. */
  strangers: Image[];
}

/**
 * The last look: of all sound copies of this source under this name the oldest is handed out, by every run that looks;
 * each deletes only what it made itself. At the deadline an Available one goes before one that is still under way.
 */
export function choose(run: Run, place: Place, newcomers: Newcomers): void {
  const { order, deadline, clock, findings } = run;
  const { held } = place;
  const current = newcomers.all.find(({ ImageId }) => ImageId === held?.imageId);
  const isEnd = clock.now() >= deadline;
  // Missing from one answer: that decides nothing, unless it is the last one.
  if (held && !current && place.problem === null && held.seenAt !== null && !isEnd) {
    if (order.target.tag) tell(run, words.notInList(place, held));
    // It may have been deleted: once that is looked at by its id.
    const isFirst = !run.told.has(`missed ${held.imageId}`);
    run.told.add(`missed ${held.imageId}`);
    if ((isFirst && (order.wait || !held.created)) || (run.closing !== null && held.readAt < run.closing))
      miss(held);
    else tellOthers(run, place, newcomers);
    return;
  }
  if (held && current) lookAgain(run, place, held, current);
  const unmarked = newcomers.ours.filter((image) => isNotOurs(place, newcomers, image));
  if (unmarked.length > 0) {
    giveUp(run, place, newcomers, unmarked);
    choose(run, place, { ...newcomers, ours: newcomers.ours.filter((image) => !unmarked.includes(image)) });
    return;
  }
  // One that this run's answers do not explain carries a copied mark.
  const isUnseen = !held || (held.seenAt === null && clock.now() >= held.startedAt + WINDOW);
  const isNamed = ({ ImageId }: Image) => run.places.some(({ own }) => own.includes(ImageId));
  const isOurs = (image: Image) => isNamed(image) || wasDoubted(place) || isUnseen;
  const ours = newcomers.ours.filter(isOurs);
  const pool = [...new Set([...(current ? [current] : []), ...ours, ...newcomers.twins])].sort(byAge);
  // A second send may have made a second one.
  const known = place.sends > 1 ? ours.map(({ ImageId }) => ImageId) : place.own;
  const sound = soundOf(findings.source, withoutCopiedMarks(pool, clock.now(), known));
  // The run that made a younger one gives it up for an older one: only the oldest of another run stays.
  const isLasting = (image: Image) => isAvailable(image) && (ours.includes(image) || image === sound[0]);
  const lasting = isEnd ? sound.find(isLasting) : undefined;
  // Where nothing is sound, ours that is there goes before an image that was never listed.
  const best =
    lasting ?? (isEnd && current ? current : (sound[0] ?? (held && isUnseen ? ours[0] : undefined)));
  if (best && best.ImageId !== place.held?.imageId) hold(run, place, best, newcomers.ours.includes(best));
  if (held && isUnseen)
    for (const image of newcomers.marked) if (image !== best) own(run, place, image.ImageId, held);
  const kept = pool.find(({ ImageId }) => ImageId === place.held?.imageId);
  if (kept && isAvailable(kept)) {
    const older = newcomers.twins.filter((twin) => sound.includes(twin) && byAge(twin, kept) < 0);
    if (older.length > 0) tell(run, words.olderTwin(place, kept, older));
  }
  if (kept && !isOpen(place) && !place.problem) unite(run, place, kept, newcomers);
  else if (kept && !order.wait && sound.includes(kept)) unite(run, place, kept, newcomers);
  else tellOthers(run, place, newcomers);
}

/** The API answered with it, it carries no mark, and another one that it did not name carries ours. */
function isNotOurs({ own, held }: Place, { marked }: Newcomers, image: Image): boolean {
  const hadMark = held?.imageId === image.ImageId && held.marked;
  const isElsewhere = marked.some(({ ImageId }) => !own.includes(ImageId));
  return isElsewhere && own.includes(image.ImageId) && !marked.includes(image) && !hadMark;
}

function giveUp(run: Run, place: Place, { marked }: Newcomers, unmarked: Image[]): void {
  const isGiven = (imageId: string | undefined) => unmarked.some(({ ImageId }) => ImageId === imageId);
  const best = soundOf(run.findings.source, marked)[0] ?? (marked[0] as Image);
  const kept = place.own.filter((imageId) => !isGiven(imageId));
  place.own = [...new Set([...kept, best.ImageId])];
  tell(run, words.notTheCopy(place, unmarked));
  if (isGiven(place.held?.imageId)) hold(run, place, best, true);
}

/** One odd answer decides nothing: an image that was Available stays so, unless it differs or has ended. */
function lookAgain(run: Run, place: Place, held: Held, image: Image): void {
  if (held.finishedAt === null || place.problem) {
    if (image.State !== held.state) observe(run, place, held, image);
  } else if (isAvailable(image)) {
    if (differences(run.findings.source, image)) observe(run, place, held, image);
  } else if (!isPending(image)) observe(run, place, held, image);
}

/** What this run made beside the image that is kept goes. Without a wait that image may still be under way. */
function unite(run: Run, place: Place, kept: Image, { ours }: Newcomers): void {
  const isKnown = ({ ImageId }: Image) => place.own.includes(ImageId) || wasDoubted(place);
  const others = ours.filter((image) => image !== kept);
  const surplus = others.filter((image) => isKnown(image) || byAge(kept, image) < 0);
  // At the deadline the one that is kept may be the less certain one.
  const open = run.clock.now() >= run.deadline ? surplus.filter(isPending) : [];
  tellSecond(run, place, open);
  const isNew = ({ ImageId }: Image) => !run.told.has(doneWith(place, ImageId));
  for (const image of surplus.filter(isNew))
    if (!open.includes(image)) place.excess.push({ imageId: image.ImageId, why: SECOND });
  const foreign = others.filter((image) => !surplus.includes(image));
  if (foreign.length > 0) tell(run, words.copiedMark(place, foreign));
}

/** Only then may an image with this run's mark be one that no answer has named. */
export function wasDoubted({ refusals, unclears, doubt }: Place): boolean {
  return doubt !== null || refusals + unclears > 0;
}

export function tellOthers(run: Run, place: Place, { ours }: Newcomers): void {
  const others = ours.filter(({ ImageId }) => ImageId !== place.held?.imageId);
  if (!isOpen(place) || !run.order.wait || run.clock.now() >= run.deadline) tellSecond(run, place, others);
}

function tellSecond(run: Run, place: Place, others: Image[]): void {
  if (others.length > 0) tell(run, words.keptSecond(run, place, others));
  for (const { ImageId } of others) run.told.add(namedIn(place, ImageId));
}
