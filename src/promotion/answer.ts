import type { CopyAnswer, CopyInfo } from '../cloud/cloud.ts';
import type { CloudError } from '../cloud/errors.ts';
import { asProblem, Stopped } from './context.ts';
import { UNASKED } from './excess.ts';
import { isNew } from './images.ts';
import type { Problem } from './model.ts';
import { settleAsSource } from './observe.ts';
import { type Doubt, newHeld, newPlace, type Place, type Run, WINDOW } from './place.ts';
import { oneByOne, refusal, refused, sentAgainIn } from './refusal.ts';
import { waitForSource } from './source.ts';
import * as words from './words.ts';

/** Answers that were not clear for one target, so that an unknown code is not asked for two hours. */
export const MOST_UNCLEAR = 4;

/** Milliseconds. A list that was refused for good may have run in part: so long it is looked for. */
const BEHIND_REFUSAL = 10_000;

const LONGEST_PAUSE = 30_000;

/** What one CopyCustomImage says of one place. */
export type Answer =
  | { kind: 'made'; imageId: string; taskId: string | null }
  | { kind: 'source' }
  /** For good. `inPart`: all the same it may have been made, as a part of a list or behind the back of a gateway. */
  | { kind: 'refused'; problem: Problem; inPart?: boolean }
  | {
      kind: 'put off';
      problem: Problem;
      pause: number;
      mayHaveRun: boolean;
      ofList: boolean;
      inPart?: boolean;
    }
  | { kind: 'unclear'; problem: Problem; ofList: boolean }
  /** The step ended before it was sent, or before its answer came. */
  | { kind: 'unsent' }
  | { kind: 'lost' };

/** Takes in what CopyCustomImage said of a place. */
export function answered(run: Run, place: Place, answer: Answer): void {
  const now = run.clock.now();
  if (answer.kind === 'lost') return;
  place.unclear = false;
  if (answer.kind === 'unsent') return;
  if (answer.kind !== 'put off' || answer.mayHaveRun) place.sends += 1;
  if (answer.kind === 'made') {
    const { imageId, taskId } = answer;
    place.own.push(imageId);
    place.held = newHeld({ imageId, taskId, created: true, startedAt: place.sentAt });
    run.changedAt = now;
  } else if (answer.kind === 'source') settleAsSource(place, run.findings.source, now);
  else {
    place.answer = answer.problem;
    if (answer.kind === 'put off') {
      place.refusals += 1;
      place.sendAt = now + answer.pause;
      const kind = answer.inPart ? 'in part' : 'refused';
      if (answer.mayHaveRun) doubt(place, { kind, since: now, ofList: answer.ofList }, answer.pause / 2);
    } else if (answer.kind === 'unclear') {
      place.unclears += 1;
      place.sendAt = now + WINDOW;
      doubt(place, { kind: 'unclear', since: now, ofList: answer.ofList }, WINDOW);
    } else if (place.doubt || answer.inPart) doubt(place, { kind: 'final', since: now }, WINDOW);
    else place.problem = refused(place, answer.problem);
  }
}

/** An image may be there: it may be sent again when a listing `pause` milliseconds from now does not show it. */
function doubt(place: Place, some: Pick<Doubt, 'kind' | 'since' | 'ofList'>, pause: number): void {
  place.unclear = place.held === null;
  const until = Math.max(some.since + WINDOW, place.doubt?.until ?? 0);
  const listUntil = some.ofList ? until : (place.doubt?.listUntil ?? 0);
  place.doubt = { ...some, clearAt: some.since + pause, until, listUntil };
}

/** What an answer says of each place that it was asked for. */
export function fromAnswer(run: Run, places: Place[], answer: CopyAnswer): Answer[] {
  const infos = answer.Infos ?? [];
  const [first] = places;
  if (first && places.length === 1) {
    const own = infos.find(({ TargetRegion }) => isSame(TargetRegion ?? first.region, first.region));
    return [madeBy(run, first, answer, answer.TargetImageId ? answer : own)];
  }
  if (infos.length === 0) return oneForAll(run, places, answer);
  const answers = places.map((place) => {
    const own = infos.filter(({ TargetRegion }) => isSame(TargetRegion ?? '', place.region));
    const isMade = ({ TargetImageId: id }: CopyInfo) => id !== undefined && isNew(run, place.region, id);
    const made = own.filter(isMade);
    const ids = [...new Set(made.flatMap(({ TargetImageId: id }) => id ?? []))];
    // Which of two is a copy, only the mark tells.
    return ids.length > 1
      ? { kind: 'unclear' as const, problem: words.twoIds(place, ids, answer), ofList: false }
      : madeBy(run, place, answer, made[0]);
  });
  // One id for two regions is the id of one at the most.
  const given = answers.flatMap((own) => (own.kind === 'made' ? [own.imageId] : []));
  const isTwice = (imageId: string) => given.indexOf(imageId) !== given.lastIndexOf(imageId);
  answers.forEach((own, index) => {
    const place = places[index];
    if (place && own.kind === 'made' && isTwice(own.imageId))
      answers[index] = { kind: 'unclear', problem: words.idTwice(place, own.imageId, answer), ofList: false };
  });
  if (answers.some(({ kind }) => kind !== 'made')) run.singles = true;
  for (const { TargetRegion = '', TargetImageId: imageId } of infos) {
    const isAsked = places.some(({ region }) => isSame(region, TargetRegion));
    if (TargetRegion && imageId && !given.includes(imageId) && !isAsked) unasked(run, TargetRegion, imageId);
  }
  return answers;
}

/** Only a new id is believed: one that was there before the copy would be handed out, or deleted, as ours. */
function madeBy(run: Run, place: Place, answer: CopyAnswer, info: CopyInfo | undefined): Answer {
  const { TargetImageId: imageId, TaskId: taskId = null } = info ?? {};
  return imageId !== undefined && isNew(run, place.region, imageId)
    ? { kind: 'made', imageId, taskId }
    : { kind: 'unclear', problem: words.withoutId(place, answer), ofList: false };
}

/** Some API endpoints write their regions in other letters than they were asked in. */
function isSame(region: string, other: string): boolean {
  return region.trim().toLowerCase() === other.trim().toLowerCase();
}

/** The answer names an image that was not asked for: to be deleted, once it is seen to carry our mark. */
function unasked(run: Run, named: string, imageId: string): void {
  const region = run.places.find((place) => isSame(place.region, named))?.region ?? named.trim();
  const isHeld = ({ held }: Place) => held?.imageId === imageId;
  if (!isNew(run, region, imageId) || run.places.some(isHeld)) return;
  const place = placeIn(run, region);
  if (place.plan === 'copy') place.excess.push({ imageId, why: UNASKED });
  else doubtNothing(run, place, 'unclear', imageId);
}

/** The place of a region, made where it is no target. */
function placeIn(run: Run, region: string): Place {
  const known = run.places.find((place) => place.region === region);
  if (known) return known;
  const { projectId } = run.order.target;
  const place = newPlace({ region, projectId, name: '', optional: true, plan: 'nothing', why: '' });
  run.places.push(place);
  return place;
}

/**
 * One image for a list. Older API endpoints ignore the list and make one copy, in the source region; but none says that
 * this is why, and a guess would double every region.
 */
function oneForAll(run: Run, places: Place[], answer: CopyAnswer): Answer[] {
  run.singles = true;
  suspectSource(run, 'unclear', answer.TargetImageId);
  if (answer.TargetImageId)
    run.report({ type: 'notice', message: words.oneForList(places, answer.TargetImageId) });
  return places.map((place) => ({ kind: 'unclear', problem: words.withoutId(place, answer), ofList: true }));
}

/** An API endpoint that ignored the list made its one image, if any, in the source region. */
function suspectSource(run: Run, kind: Doubt['kind'], imageId?: string): void {
  const home = placeIn(run, run.order.source.region);
  if (home.plan !== 'copy') doubtNothing(run, home, kind, imageId);
  else if (home.held) doubt(home, { kind, since: run.clock.now() }, WINDOW);
}

/** An image of this run may be where none was wanted. */
function doubtNothing(run: Run, place: Place, kind: Doubt['kind'], imageId?: string): void {
  const now = run.clock.now();
  if (imageId) place.own.push(imageId);
  place.sentAt = now;
  place.doubt = { kind, since: now, clearAt: now + WINDOW, until: now + WINDOW };
}

/** What an error says of each place that the call was for. */
export async function fromError(run: Run, places: Place[], error: CloudError): Promise<Answer[]> {
  const ofList = places.length > 1;
  const isSure = error.kind === 'connection' || error.decisive || error.blames === 'order';
  if (ofList && (error.verdict === 'ambiguous' || error.verdict === 'nothing-to-copy'))
    suspectSource(run, 'unclear');
  else if (ofList && !isSure) suspectSource(run, 'refused');
  // Should the API endpoint know no list, each one more would make one more image where nobody looks for it.
  if (ofList && (error.verdict === 'ambiguous' || error.verdict === 'nothing-to-copy')) run.singles = true;
  const pause =
    error.verdict === 'source-pending' ? await sourcePause(run, places) : pauseAfter(run, places, error);
  if (pause instanceof Stopped)
    return places.map(() => ({ kind: 'refused', problem: pause.problems[0] ?? asProblem(error) }));
  // Told ever more rarely: a throttle may last for an hour.
  const [{ refusals = 0 } = {}] = places;
  const passes = error.verdict === 'retry' || error.verdict === 'source-pending';
  if (passes && Number.isInteger(Math.log2(refusals + 1)))
    run.report({ type: 'notice', message: sentAgainIn(error, pause) });
  if (ofList && !passes && (error.blames === 'target' || error.verdict === 'nothing-to-copy'))
    run.report({ type: 'notice', message: oneByOne(error) });
  return places.map((place) => fromRefusal(run, place, error, { pause, ofList }));
}

function fromRefusal(
  run: Run,
  place: Place,
  error: CloudError,
  { pause, ofList }: { pause: number; ofList: boolean },
): Answer {
  const problem = refusal(run, place, error);
  const { verdict } = error;
  if (verdict === 'ambiguous') return { kind: 'unclear', problem, ofList };
  if (verdict === 'retry' || verdict === 'source-pending')
    return { kind: 'put off', problem, pause, mayHaveRun: error.kind !== 'connection', ofList };
  if (verdict === 'nothing-to-copy') {
    if (isSource(run, place)) return { kind: 'source' };
    // Of a list only an API endpoint that ignored it says so: it was asked to copy into the source region.
    return ofList
      ? { kind: 'put off', problem, pause: BEHIND_REFUSAL, mayHaveRun: true, ofList, inPart: true }
      : { kind: 'refused', problem };
  }
  // Whoever answers in the API's place may do so after it has executed the call.
  const isOthers = error.kind === 'http' && !error.decisive;
  if (!ofList) return { kind: 'refused', problem, inPart: isOthers };
  if (error.blames === 'target') {
    run.singles = true;
    return { kind: 'put off', problem, pause: BEHIND_REFUSAL, mayHaveRun: true, ofList, inPart: true };
  }
  return { kind: 'refused', problem, inPart: error.blames === 'account' && !error.decisive };
}

/** 8962 is only believed where it can be true: an API endpoint that ignores TargetRegion answers it for any region. */
function isSource({ order, findings }: Run, place: Place): boolean {
  const project = findings.sourceProject ?? place.projectId;
  return place.region === order.source.region && place.projectId === project;
}

/** Milliseconds: what the API asks for, else ever more from one refusal to the next. */
function pauseAfter({ clock, deadline }: Run, places: Place[], error: CloudError): number {
  const refusals = Math.max(...places.map((place) => place.refusals));
  const usual = Math.min(1_000 * 2 ** refusals, LONGEST_PAUSE) * (0.5 + clock.random() / 2);
  return Math.max(0, Math.min(Math.max((error.waitSeconds ?? 0) * 1000, usual), deadline - clock.now()));
}

/** The check saw it Available, so the first such answer passes by itself; from the second on the source is read. */
async function sourcePause(run: Run, places: Place[]): Promise<number | Stopped> {
  const refusals = Math.max(...places.map((place) => place.refusals));
  if (refusals > 0) {
    try {
      await waitForSource(run, run.findings.source, true);
    } catch (error) {
      if (error instanceof Stopped) return error;
      throw error;
    }
  }
  return Math.min(5_000 * 2 ** refusals, LONGEST_PAUSE);
}
