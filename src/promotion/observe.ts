import type { Image } from '../cloud/cloud.ts';
import type { CloudError } from '../cloud/errors.ts';
import { asProblem } from './context.ts';
import { isBare, isOlderThan } from './images.ts';
import { isMarkedBy, isMarkOf, readMark, signerOf } from './mark.ts';
import type { Problem } from './model.ts';
import {
  type Doubt,
  type Held,
  isWanting,
  newHeld,
  type Place,
  type Reading,
  type Run,
  WINDOW,
} from './place.ts';
import { unwatchable } from './refusal.ts';
import { differences, isAvailable, isPending, isSameName, lostFeatures } from './verify.ts';
import { copiesOf, copyOf } from './view.ts';
import * as words from './words.ts';

/** A copy that was seen and is then missing from so many answers in a row, over at least WINDOW, is gone. */
const MISSES = 3;

/** Takes in the answer to a read of the place's image by its id. */
export function polled(run: Run, place: Place, image: Image | undefined): void {
  const { held } = place;
  if (!held) return;
  const now = run.clock.now();
  if (place.trouble && run.told.has(`trouble in ${place.region}`))
    tellOnce(run, words.trouble(place, held, null));
  place.trouble = null;
  if (image) {
    held.readAt = now;
    // One that was Available stays so, unless it has ended.
    if (held.finishedAt === null || image.State === 'Unavailable') observe(run, place, held, image);
    else held.misses = 0;
    return;
  }
  miss(held);
  const unseenFor = now - (held.seenAt ?? held.startedAt);
  if (unseenFor < WINDOW) return;
  if (held.seenAt === null) tellOnce(run, words.notListedYet(place, held));
  else if (held.misses >= MISSES) {
    settle(run, place, held, words.gone(held));
    tellState(run, place, held, held.state);
  }
}

/** One that had settled and has vanished is watched until that is certain. */
export function miss(held: Held): void {
  held.finishedAt = null;
  held.misses += 1;
}

/** A read of the place has failed, after all that the client could repeat. */
export function unread(run: Run, place: Place, error: CloudError, { deed, at }: Reading): void {
  const { held, doubt } = place;
  const now = run.clock.now();
  place.trouble = asProblem(error);
  if (deed === 'poll') {
    if (!held) return;
    if (held.finishedAt !== null) held.readAt = now;
    else if (error.decisive) {
      place.problem = unwatchable(run, place, held, error);
      tellState(run, place, held, held.state);
    } else tellOnce(run, words.trouble(place, held, error), `trouble in ${place.region}`);
  } else if (isWanting(place) && doubt) {
    // Behind a refusal a look that was throttled is enough, or the throttle would use itself up.
    if (now >= run.deadline || (doubt.kind === 'refused' && error.slow)) place.quitAt = now;
    else if (error.decisive) place.problem = words.unreadable(run, place, error);
    else if (at < doubt.clearAt) return;
    else if (doubt.kind === 'refused') tellOnce(run, words.unlooked(place, error));
    else place.problem = words.unreadable(run, place, error);
  } else {
    place.quitAt = Math.max(now, doubt?.until ?? 0);
    tell(run, words.lastLookFailed(run, place, error));
  }
}

/** Takes in what the API says of the image that the place holds. */
export function observe(run: Run, place: Place, held: Held, image: Image): void {
  if (held.created && !held.marked && isOthers(run, place, image)) {
    notOurs(run, place, image);
    return;
  }
  const from = held.state;
  held.seenAt = run.clock.now();
  held.misses = 0;
  held.state = image.State ?? 'unknown';
  const { order, findings } = run;
  const mark = readMark(image.ImageDescription, signerOf(order));
  const isOwn = mark?.run === order.run;
  if (isOwn) run.keepsMarks = true;
  if (isOwn && isMarkOf(mark, order.source.region, findings.source.ImageId)) held.marked = true;
  else if (held.marked) tell(run, words.markEdited(place, held));
  if (held.created && image.ImageName !== undefined && !isSameName(image.ImageName, place.name))
    tell(run, words.renamed(place, held, image.ImageName), 'name');
  if (isAvailable(image)) {
    const lost = lostFeatures(run.findings.source, image);
    if (lost) tell(run, { ...lost, message: `${place.region}: ${lost.message}` });
    settle(run, place, held, differences(run.findings.source, image));
    tellState(run, place, held, from);
  } else if (!isPending(image)) {
    settle(run, place, held, words.broken(held));
    tellState(run, place, held, from);
  } else {
    if (held.state !== 'Copying' && held.state !== 'Making') tell(run, words.unknownState(held.state));
    if (held.state === from) return;
    run.changedAt = held.seenAt;
    tellState(run, place, held, from);
  }
}

/** The image is handed out from now on. */
export function hold(run: Run, place: Place, image: Image, created: boolean): void {
  const before = place.held;
  const held = newHeld({
    imageId: image.ImageId,
    created,
    startedAt: before?.startedAt ?? place.sentAt,
  });
  Object.assign(place, { held, problem: null, unclear: false });
  if (created) own(run, place, image.ImageId, before);
  if (created && !place.own.includes(image.ImageId)) place.own.push(image.ImageId);
  run.report({ type: 'ids', copies: copiesOf(run) });
  observe(run, place, held, image);
}

/** An image stands where it is listed. Answered for another region, it was swapped with `before`, answered for this one. */
export function own(run: Run, place: Place, imageId: string, before: Held | null): void {
  for (const other of run.places) {
    const { held } = other;
    const isHeld = held?.imageId === imageId;
    if (other === place || (isHeld && held.seenAt !== null) || !other.own.includes(imageId)) continue;
    other.own = other.own.filter((id) => id !== imageId);
    place.own = [...new Set([...place.own, imageId])];
    if (!before || before.seenAt !== null || other.problem) continue;
    place.own = place.own.filter((id) => id !== before.imageId);
    other.own.push(before.imageId);
    if (!isHeld) continue;
    if (place.held?.imageId === imageId) place.held.taskId = held.taskId;
    other.held = { ...before, startedAt: held.startedAt, misses: 0 };
  }
}

/** In the end, when no list has shown that the copy is another image. */
export function tellUnmarked(run: Run): void {
  const bare = run.places.filter(isBare);
  if (run.places.some(({ held }) => held?.marked))
    for (const place of bare) tell(run, words.markEdited(place, place.held as Held));
  else if (bare.length > 0) tell(run, words.markLost(bare));
}

/** The API answered with its id, and it is another run's, or nothing that this run has asked for. */
function isOthers({ order, findings }: Run, { name, sentAt }: Place, image: Image): boolean {
  if (readMark(image.ImageDescription))
    return !isMarkedBy(order.run, image.ImageDescription, signerOf(order));
  const { ImageName, CreateTime } = image;
  // A copy may be given its source's time.
  if (CreateTime !== findings.source.CreateTime && isOlderThan(image, sentAt)) return true;
  // An API endpoint may keep the source's name.
  return ![undefined, name, findings.source.ImageName].some((own) => isSameName(ImageName, own));
}

/** The answer was wrong: the copy that it should have named may be there all the same. */
function notOurs(run: Run, place: Place, image: Image): void {
  const now = run.clock.now();
  place.own = place.own.filter((imageId) => imageId !== image.ImageId);
  place.held = null;
  place.problem = words.notOurs(place, image);
  run.report({ type: 'notice', message: place.problem.message });
  beginDoubt(place, { kind: 'final', since: now }, WINDOW);
  run.changedAt = now;
  run.report({ type: 'ids', copies: copiesOf(run) });
}

/** An image may be there: it may be sent again when a listing `pause` milliseconds from now does not show it. */
export function beginDoubt(
  place: Place,
  some: Pick<Doubt, 'kind' | 'since' | 'ofList'>,
  pause: number,
): void {
  place.unclear = place.held === null;
  const until = Math.max(some.since + WINDOW, place.doubt?.until ?? 0);
  const listUntil = some.ofList ? until : (place.doubt?.listUntil ?? 0);
  place.doubt = { ...some, clearAt: some.since + pause, until, listUntil };
}

/** What the API, or the plan, says is the source itself. */
export function settleAsSource(place: Place, source: Image, now: number): void {
  place.plan = 'source';
  place.why = 'same image';
  place.unclear = false;
  place.doubt = null;
  place.held = newHeld({
    imageId: source.ImageId,
    created: false,
    startedAt: now,
    finishedAt: now,
    state: source.State ?? 'Available',
    seenAt: now,
  });
}

function settle(run: Run, place: Place, held: Held, problem: Problem | null): void {
  const now = run.clock.now();
  held.finishedAt = now;
  place.problem = problem && { ...problem, message: `${place.region}: ${problem.message}` };
  if (!problem && held.created) run.finished.push(now - held.startedAt);
  run.changedAt = now;
}

/** `from`: the state before. */
function tellState({ clock, report }: Run, place: Place, held: Held, from: string | null): void {
  const seconds = ((held.finishedAt ?? clock.now()) - held.startedAt) / 1000;
  report({ type: 'state', copy: copyOf(place), from, seconds });
}

/** The same fact once a run. */
export function tell(run: Run, problem: Problem, fact = problem.message): void {
  if (run.told.has(fact)) return;
  run.told.add(fact);
  run.report({ type: 'warning', problem });
}

/** What may pass is a line of the log: what is left of it in the end is in the copy. */
function tellOnce(run: Run, message: string, fact = message): void {
  if (run.told.has(fact)) return;
  run.told.add(fact);
  run.report({ type: 'notice', message });
}
