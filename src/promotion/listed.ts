import type { Image } from '../cloud/cloud.ts';
import { MOST_UNCLEAR } from './answer.ts';
import { removeUnasked, SECOND } from './excess.ts';
import { bestOf, byAge, isBare, isCopy, isNew, isPossible, isThere } from './images.ts';
import { isMarkedBy, readMark, signerOf, withoutCopiedMarks } from './mark.ts';
import { miss, observe, tell } from './observe.ts';
import {
  type Held,
  isOpen,
  isWanting,
  newHeld,
  type Place,
  type Reading,
  type Run,
  WINDOW,
} from './place.ts';
import { differences, isAvailable, isPending, isSameName, soundOf } from './verify.ts';
import { copiesOf } from './view.ts';
import * as words from './words.ts';

/** What a listing holds that was not there before this run, the oldest first; and all that it holds. */
interface Newcomers {
  all: Image[];
  /** Marked by this run, or known by its id. */
  ours: Image[];
  /** Marked by another run as a copy of the same source, under the same name. */
  twins: Image[];
  /** Of our name, without a mark that counts. */
  strangers: Image[];
}

/** Takes in a whole listing of the place. */
export function listed(run: Run, place: Place, images: Image[], { deed, at }: Reading): void {
  place.readAt = at;
  place.trouble = null;
  const newcomers = sort(run, place, images.filter(isThere(place)));
  if (place.plan !== 'copy') {
    const isAnswered = newcomers.ours.some(({ ImageId }) => place.own.includes(ImageId));
    for (const { ImageId } of newcomers.ours) removeUnasked(run, place, ImageId);
    if (place.plan === 'adopt' && place.problem) adoptAnother(run, place, images);
    if (newcomers.ours.length > 0) listWasIgnored(run, isAnswered);
    else if (place.doubt && at >= place.doubt.until) tellNeverListed(run, place);
    return;
  }
  if (isWanting(place)) find(run, place, newcomers, at);
  else if (deed === 'last look') {
    choose(run, place, newcomers);
    // It has seen what it chose.
    place.readAt = Math.max(at, place.held?.finishedAt ?? 0);
  }
  if ((place.doubt || isBare(place)) && !isWanting(place)) tellNamesakes(run, place, newcomers.strangers);
}

function tellNamesakes(run: Run, place: Place, strangers: Image[]): void {
  const unnamed = strangers.filter(({ ImageId }) => !place.problem?.message.includes(ImageId));
  if (unnamed.length > 0) tell(run, words.namesakes(place, unnamed));
}

function sort(run: Run, place: Place, images: Image[]): Newcomers {
  const { order } = run;
  const signer = signerOf(order);
  const fresh = images.filter(({ ImageId }) => isNew(run, place.region, ImageId)).sort(byAge);
  const isNamed = ({ ImageName }: Image) => isSameName(ImageName, place.name);
  const isMarked = ({ ImageDescription }: Image) => isMarkedBy(order.run, ImageDescription, signer);
  const isOwn = ({ ImageId }: Image) => place.own.includes(ImageId);
  const ours = fresh.filter((image) => isMarked(image) || isOwn(image));
  if (ours.some(isMarked)) run.keepsMarks = true;
  return {
    all: images,
    ours,
    twins:
      order.ifExists === 'copy'
        ? []
        : fresh.filter((image) => !ours.includes(image) && isCopy(run, place, image)),
    strangers: fresh.filter(
      (image) => isNamed(image) && !isOwn(image) && readMark(image.ImageDescription) === null,
    ),
  };
}

/** The adopted image has failed: another one that was there, or is by now, may be sound. */
function adoptAnother(run: Run, place: Place, images: Image[]): void {
  const { held, problem } = place;
  const isOther = (image: Image) => image.ImageId !== held?.imageId && isCopy(run, place, image);
  const others = images.filter(isOther).sort(byAge);
  const best = bestOf(run.findings.source, others, run.clock.now());
  if (!best || !held || !problem) return;
  tell(run, words.insteadOf(problem, held, best.ImageId));
  hold(run, place, best, false);
}

/** The image of a list that was ignored turned up in the source's region: the others made none, if it `isSure`. */
function listWasIgnored({ places, clock }: Run, isSure: boolean): void {
  for (const place of places) {
    const { doubt, unclears } = place;
    if (!isWanting(place) || doubt?.kind !== 'unclear' || !doubt.ofList || unclears > 1) continue;
    place.sends -= 1;
    if (isSure) Object.assign(place, { doubt: null, unclear: false, sendAt: clock.now() });
    // A mark alone may be a copied one.
    else place.doubt = { ...doubt, ofList: false };
  }
}

/** Its images turned up where they were asked for, so the list made none in the source's region: one look is enough. */
function listWasObeyed({ places, clock }: Run): void {
  for (const { plan, doubt } of places) if (plan !== 'copy' && doubt) doubt.until = clock.now();
}

function tellNeverListed(run: Run, place: Place): void {
  const isHeld = (id: string) => run.places.some(({ held }) => held?.imageId === id);
  for (const id of place.own) if (!isHeld(id)) tell(run, words.listedNowhere(id, place.region));
}

/** The best of ours is taken; where there is none at the end of the window, it may be sent again. */
function find(run: Run, place: Place, newcomers: Newcomers, at: number): void {
  const { ours, twins, strangers } = newcomers;
  const { doubt } = place;
  const isOver = doubt !== null && at >= doubt.clearAt;
  const { source } = run.findings;
  const best = soundOf(source, ours)[0] ?? ours[0] ?? (isOver ? soundOf(source, twins)[0] : undefined);
  if (best) {
    hold(run, place, best, ours.includes(best));
    // Sent once and found by its mark: no window is needed, but for one more look if the step goes on that long.
    if (doubt && place.sends === 1 && ours.includes(best) && !place.problem) {
      const isElsewhere = place.region !== run.order.source.region;
      if (doubt.ofList && isElsewhere && !run.places.some(isWanting)) listWasObeyed(run);
      doubt.until = at;
    }
    if (run.clock.now() >= run.deadline) tellOthers(run, place, newcomers);
  } else if (isOver || at >= run.deadline)
    absent(run, place, isOver, strangers.some(isPossible(run)) ? strangers : []);
}

/** `isOver`: the window is; else it is the deadline, and one may still turn up. */
function absent(run: Run, place: Place, isOver: boolean, strangers: Image[]): void {
  const kind = place.doubt?.kind;
  const answer = place.answer ?? words.nothingKnown(place);
  if (isOver) place.unclear = false;
  if (kind === 'refused' || kind === 'in part') {
    // Sent again all the same: the API says that it did not run.
    if (isOver) tellNamesakes(run, place, strangers);
    return;
  }
  if (strangers.length > 0) {
    place.unclear = true;
    place.problem = words.stranger(place, strangers, answer);
  } else if (!isOver) return;
  else if (kind === 'final') place.problem = words.refusedUnseen(place, answer);
  else if (place.unclears >= MOST_UNCLEAR) place.problem = words.unclearTooOften(run, place, answer);
  else run.report({ type: 'notice', message: words.absent(place) });
}

/** The image is handed out from now on. */
function hold(run: Run, place: Place, image: Image, created: boolean): void {
  place.held = newHeld({
    imageId: image.ImageId,
    created,
    startedAt: place.held?.startedAt ?? (place.sentAt || run.clock.now()),
  });
  place.problem = null;
  place.unclear = false;
  if (created && !place.own.includes(image.ImageId)) place.own.push(image.ImageId);
  run.report({ type: 'ids', copies: copiesOf(run) });
  observe(run, place, place.held, image);
}

/**
 * The last look: of all sound copies of this source under this name the oldest is handed out, by every run that looks;
 * each deletes only what it made itself. At the deadline an Available one goes before one that is still under way.
 */
function choose(run: Run, place: Place, newcomers: Newcomers): void {
  const { order, deadline, clock, findings } = run;
  const { held } = place;
  const current = newcomers.all.find(({ ImageId }) => ImageId === held?.imageId);
  const isEnd = clock.now() >= deadline;
  // Missing from one answer: that decides nothing, unless it is the last one.
  if (held && !current && place.problem === null && held.seenAt !== null && !isEnd) {
    if (order.target.tag) tell(run, words.notInList(place, held));
    // Another run may have deleted its own: once that is looked at by its id.
    const isTheirs = !held.created && !run.told.has(`missed ${held.imageId}`);
    run.told.add(`missed ${held.imageId}`);
    if (isTheirs || (run.closing !== null && !held.confirmed)) miss(held);
    else tellOthers(run, place, newcomers);
    return;
  }
  if (held && current) lookAgain(run, place, held, current);
  if (held && current && isBare(place) && holdMarked(run, place, held, newcomers)) {
    choose(run, place, { ...newcomers, ours: newcomers.ours.filter((image) => image !== current) });
    return;
  }
  // One that this run's answers do not explain carries a copied mark.
  const isUnseen = !held || (held.seenAt === null && clock.now() >= held.startedAt + WINDOW);
  const isOurs = ({ ImageId }: Image) => place.own.includes(ImageId) || wasDoubted(place) || isUnseen;
  const ours = newcomers.ours.filter((image) => isOurs(image) || image === current);
  const pool = [...new Set([...(current ? [current] : []), ...ours, ...newcomers.twins])].sort(byAge);
  // A second send may have made a second one.
  const known = place.sends > 1 ? ours.map(({ ImageId }) => ImageId) : place.own;
  const sound = soundOf(findings.source, withoutCopiedMarks(pool, clock.now(), known));
  const best = (isEnd ? sound.find(isAvailable) : undefined) ?? (isEnd && current ? current : sound[0]);
  if (best && best.ImageId !== place.held?.imageId) hold(run, place, best, newcomers.ours.includes(best));
  const kept = pool.find(({ ImageId }) => ImageId === place.held?.imageId);
  if (kept && !isOpen(place) && !place.problem) unite(run, place, kept, newcomers);
  else if (kept && !order.wait && sound.includes(kept)) unite(run, place, kept, newcomers);
  else tellOthers(run, place, newcomers);
}

/** The API answered with an image without a mark, and another one has it: that is the copy. */
function holdMarked(run: Run, place: Place, { imageId }: Held, { ours }: Newcomers): boolean {
  const marked = ours.filter((image) => !place.own.includes(image.ImageId));
  const best = soundOf(run.findings.source, marked)[0] ?? marked[0];
  if (!best) return false;
  place.own = place.own.filter((id) => id !== imageId);
  tell(run, words.notTheCopy(place, imageId, best));
  hold(run, place, best, true);
  return true;
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
  if (open.length > 0) tell(run, words.keptSecond(run, place, open));
  for (const image of surplus)
    if (!open.includes(image)) place.excess.push({ imageId: image.ImageId, why: SECOND });
  const foreign = others.filter((image) => !surplus.includes(image));
  if (foreign.length > 0) tell(run, words.copiedMark(place, foreign));
}

/** Only then may an image with this run's mark be one that no answer has named. */
function wasDoubted({ refusals, unclears, doubt }: Place): boolean {
  return doubt !== null || refusals + unclears > 0;
}

function tellOthers(run: Run, place: Place, { ours }: Newcomers): void {
  const others = ours.filter(({ ImageId }) => ImageId !== place.held?.imageId);
  if (others.length > 0 && (!isOpen(place) || !run.order.wait || run.clock.now() >= run.deadline))
    tell(run, words.keptSecond(run, place, others));
}
