import type { Image } from '../cloud/cloud.ts';
import { MOST_UNCLEAR } from './answer.ts';
import { hereOnly, isOfAnother } from './elsewhere.ts';
import { removeUnasked } from './excess.ts';
import { bestOf, byAge, isBare, isCopy, isNew, isPossible, isThere } from './images.ts';
import { choose, type Newcomers, tellOthers } from './last-look.ts';
import { isMarkedBy, readMark, signerOf } from './mark.ts';
import { hold, tell } from './observe.ts';
import { isWanting, type Place, type Reading, type Run } from './place.ts';
import { refusedUnseen } from './refusal.ts';
import { isSameName, soundOf } from './verify.ts';
import * as words from './words.ts';

/** Takes in a whole listing of the place. */
export function listed(run: Run, place: Place, images: Image[], { at }: Reading): void {
  place.readAt = at;
  place.trouble = null;
  const sorted = sort(run, place, images.filter(isThere(place)));
  const newcomers = place.plan === 'copy' ? hereOnly(run, place, sorted) : sorted;
  if (!newcomers) return;
  if (place.plan !== 'copy') {
    adoptAnother(run, place, images);
    const { ours } = newcomers;
    const isAnswered = ours.some(({ ImageId }) => place.own.includes(ImageId));
    // A list that is ignored makes one image: more are those of the targets, listed here too.
    const isMore = newcomers.marked.length > Math.max(1, ...run.places.map(({ sends }) => sends));
    if (isMore || ours.some(isOfAnother(run, place))) return;
    for (const { ImageId } of ours) removeUnasked(run, place, ImageId);
    if (ours.length > 0) listWasIgnored(run, isAnswered);
    else if (place.doubt && at >= place.doubt.until) tellNeverListed(run, place);
    return;
  }
  if (isWanting(place)) find(run, place, newcomers, at);
  else {
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
  const marked = ours.filter(isMarked);
  if (marked.length > 0) run.keepsMarks = true;
  return {
    all: images,
    ours,
    marked,
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
  if (!held || !problem) return;
  const isOther = (image: Image) => image.ImageId !== held.imageId && isCopy(run, place, image);
  const others = images.filter(isOther).sort(byAge);
  const best = bestOf(run.findings.source, others, run.clock.now());
  if (!best) return;
  tell(run, words.insteadOf(problem, held, best.ImageId));
  hold(run, place, best, false);
}

/** The image of a list that was ignored turned up in the source's region: the others made none, if it `isSure`. */
function listWasIgnored({ places, clock }: Run, isSure: boolean): void {
  for (const place of places) {
    const { doubt } = place;
    if (!isWanting(place) || doubt?.kind !== 'unclear' || !doubt.ofList) continue;
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
      if (doubt.ofList && !run.places.some(isWanting)) listWasObeyed(run);
      doubt.until = at;
    }
    if (run.clock.now() >= run.deadline) tellOthers(run, place, newcomers);
  } else if (isOver || at >= run.deadline) absent(run, place, isOver, strangers.filter(isPossible(run)));
}

/** `isOver`: the window is; else it is the deadline, and one may still turn up. */
function absent(run: Run, place: Place, isOver: boolean, strangers: Image[]): void {
  const kind = place.doubt?.kind;
  const answer = place.answer ?? words.nothingKnown(place);
  if (isOver) place.unclear = false;
  if (kind === 'refused' || kind === 'in part') {
    // Sent again all the same: the API says that it did not run.
    tellNamesakes(run, place, strangers);
    return;
  }
  if (strangers.length > 0) {
    place.unclear = true;
    place.problem = words.stranger(place, strangers, answer);
  } else if (!isOver) return;
  else if (kind === 'final') place.problem = refusedUnseen(place, answer);
  else if (place.unclears >= MOST_UNCLEAR) place.problem = words.unclearTooOften(run, place, answer);
  else run.report({ type: 'notice', message: words.absent(place) });
}
