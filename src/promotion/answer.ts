import type { CopyAnswer, CopyInfo } from '../cloud/cloud.ts';
import type { CloudError } from '../cloud/errors.ts';
import { asProblem, Stopped } from './context.ts';
import { UNASKED } from './excess.ts';
import { isNew } from './images.ts';
import type { Problem } from './model.ts';
import { beginDoubt, settleAsSource } from './observe.ts';
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
      if (answer.mayHaveRun) beginDoubt(place, { kind, since: now, ofList: answer.ofList }, answer.pause / 2);
    } else if (answer.kind === 'unclear') {
      place.unclears += 1;
      place.sendAt = now + WINDOW;
      beginDoubt(place, { kind: 'unclear', since: now, ofList: answer.ofList }, WINDOW);
    } else if (place.doubt || answer.inPart) beginDoubt(place, { kind: 'final', since: now }, WINDOW);
    else place.problem = refused(place, answer.problem);
  }
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
  const idsIn = ({ region }: Place) => {
    const own = infos.filter(({ TargetRegion }) => isSame(TargetRegion, region));
    const ids = own.map(({ TargetImageId: id }) => id);
    return [...new Set(ids)].filter((id) => id !== undefined && isNew(run, region, id)) as string[];
  };
  const given = places.flatMap(idsIn);
  const isTwice = (imageId: string) => given.indexOf(imageId) !== given.lastIndexOf(imageId);
  const answers = places.map((place) => {
    const ids = idsIn(place);
    // Which of two is a copy, only the mark tells.
    if (ids.length > 1) return unclear(words.twoIds(place, ids, answer));
    // One id for two regions is the id of one at the most.
    const twice = ids.find(isTwice);
    if (twice) return unclear(words.idTwice(place, twice, answer));
    const isIts = ({ TargetRegion, TargetImageId }: CopyInfo) =>
      isSame(TargetRegion, place.region) && (ids[0] === undefined || TargetImageId === ids[0]);
    const own = infos.find(isIts);
    return madeBy(run, place, answer, own);
  });
  if (answers.some(({ kind }) => kind !== 'made')) run.singles = true;
  for (const { TargetRegion, TargetImageId: imageId } of infos)
    if (TargetRegion && imageId && !given.includes(imageId)) unasked(run, TargetRegion, imageId);
  return answers;
}

/** Only a new id is believed: one that was there before the copy would be handed out, or deleted, as ours. */
function madeBy(run: Run, place: Place, answer: CopyAnswer, info: CopyInfo | undefined): Answer {
  const { TargetImageId: imageId, TaskId: taskId = null } = info ?? {};
  return imageId !== undefined && isNew(run, place.region, imageId)
    ? { kind: 'made', imageId, taskId }
    : unclear(words.withoutId(place, answer, imageId));
}

function unclear(problem: Problem): Answer {
  return { kind: 'unclear', problem, ofList: false };
}

/** Some API endpoints write their regions in other letters than they were asked in. */
function isSame(named: string | undefined, region: string): boolean {
  return named?.trim().toLowerCase() === region.toLowerCase();
}

/** The answer names an image that was not asked for: to be deleted, once it is seen to carry our mark. */
function unasked(run: Run, named: string, imageId: string): void {
  const region = run.places.find((place) => isSame(named, place.region))?.region ?? named.trim();
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
  const [target] = run.places as [Place];
  const place = newPlace({ ...target, region, plan: 'nothing' });
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
  else if (home.held) beginDoubt(home, { kind, since: run.clock.now() }, WINDOW);
}

/** An image of this run may be where none was wanted. */
function doubtNothing(run: Run, place: Place, kind: Doubt['kind'], imageId?: string): void {
  if (imageId) place.own.push(imageId);
  beginDoubt(place, { kind, since: run.clock.now() }, WINDOW);
}

/** What an error says of each place that the call was for. */
export async function fromError(run: Run, places: Place[], error: CloudError): Promise<Answer[]> {
  const ofList = places.length > 1;
  const isSure = error.kind === 'connection' || error.decisive || error.blames === 'order';
  if (ofList && (error.verdict === 'ambiguous' || error.verdict === 'nothing-to-copy')) {
    suspectSource(run, 'unclear');
    // Should the API endpoint know no list, each one more would make one more image where nobody looks for it.
    run.singles = true;
  } else if (ofList && !isSure) suspectSource(run, 'refused');
  const [{ refusals }] = places as [Place];
  const pause =
    error.verdict === 'source-pending' ? await sourcePause(run, refusals) : pauseAfter(run, refusals, error);
  if (pause instanceof Stopped)
    return places.map(() => ({ kind: 'refused', problem: pause.problems[0] ?? asProblem(error) }));
  const passes = error.verdict === 'retry' || error.verdict === 'source-pending';
  // Told ever more rarely: a throttle may last for an hour.
  if (passes && Number.isInteger(Math.log2(refusals + 1)))
    run.report({ type: 'notice', message: sentAgainIn(error, pause) });
  if (ofList && !passes && error.blames === 'target')
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
  if (verdict === 'nothing-to-copy' && isSource(run, place)) return { kind: 'source' };
  // Whoever answers in the API's place may do so after it has executed the call.
  const isOthers = error.kind === 'http' && !error.decisive;
  if (!ofList) return { kind: 'refused', problem, inPart: isOthers };
  // 8962, too: only an API endpoint that ignored the list says so. It was asked to copy into the source region.
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
function pauseAfter({ clock, deadline }: Run, refusals: number, error: CloudError): number {
  const usual = Math.min(1_000 * 2 ** refusals, LONGEST_PAUSE) * (0.5 + clock.random() / 2);
  return Math.max(0, Math.min(Math.max((error.waitSeconds ?? 0) * 1000, usual), deadline - clock.now()));
}

/** The check saw it Available, so the first such answer passes by itself; from the second on the source is read. */
async function sourcePause(run: Run, refusals: number): Promise<number | Stopped> {
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
