import { CloudError } from '../cloud/errors.ts';
import { ask } from './ask.ts';
import { LAST_PATIENCE, remove, tellLeft } from './excess.ts';
import { customImages, isBare } from './images.ts';
import { listed } from './listed.ts';
import { polled, tellUnmarked, unread } from './observe.ts';
import { type Deed, isOpen, isWanting, next, type Place, type Run, WINDOW } from './place.ts';
import { copiesOf } from './view.ts';
import * as words from './words.ts';

/** At most so many single calls at once, on an API endpoint without batches. */
const ABREAST = 8;

const HEARTBEAT = 60_000;

/** Ends a pause that another call has ended. */
const OVER = new Error('The pause is over.');

interface Due {
  place: Place;
  deed: Deed;
  at: number;
}

/** Does what is due, for all places side by side, until nothing is left. Throws the signal's reason after a cancel. */
export async function drive(run: Run): Promise<void> {
  const { clock, signal } = run;
  const work = new Work();
  let beatAt = clock.now();
  try {
    for (;;) {
      signal.throwIfAborted();
      work.throwIfFailed();
      const now = clock.now();
      const dues = run.places
        .filter((place) => !work.underWay.has(place))
        .flatMap((place) => dueOf(place, run, now));
      if (dues.length === 0 && work.underWay.size === 0) {
        // What was found at the end may have taken long: then it is looked at once more.
        if (run.closing !== null && now - run.closing < WINDOW) return;
        run.closing = now;
        continue;
      }
      const ready = dues.filter(({ at }) => at <= now);
      if (begin(run, ready, work) > 0) continue;
      beatAt = beat(run, beatAt, now);
      if (work.underWay.size === 0) tellLastLook(run, dues, now);
      const upcoming = dues.filter(({ at }) => at > now).map(({ at }) => at);
      await pause(run, work.calls(), [...upcoming, nextBeat(run, beatAt)]);
    }
  } finally {
    work.ended.abort(signal.aborted ? signal.reason : new Error('The promotion has ended.'));
    await Promise.all(work.calls());
    for (const place of run.places) {
      tellLeft(run, place);
      tellUnmarked(run, place);
    }
  }
}

/** The calls under way: one at a time for a place. */
class Work {
  readonly underWay = new Map<Place, { deed: Deed; call: Promise<void> }>();
  /** Ends the reads. */
  readonly ended = new AbortController();
  private readonly failures: unknown[] = [];

  begin(places: Place[], deed: Deed, work: Promise<void>): void {
    const call = work
      .catch((error: unknown) => this.failures.push(error))
      .then(() => {
        for (const place of places) this.underWay.delete(place);
      });
    for (const place of places) this.underWay.set(place, { deed, call });
  }

  calls(): Promise<void>[] {
    return [...this.underWay.values()].map(({ call }) => call);
  }

  throwIfFailed(): void {
    if (this.failures.length > 0) throw this.failures[0];
  }
}

/** Starts what is ready. Returns how many calls that were. */
function begin(run: Run, ready: Due[], work: Work): number {
  const reads = ready.filter(({ deed }) => deed !== 'send');
  for (const { place, deed } of reads) {
    const call = deed === 'delete' ? remove(run, place) : read(run, place, deed, work.ended.signal);
    work.begin([place], deed, call);
  }
  const groups = groupsToSend(run, ready, work.underWay);
  for (const places of groups) work.begin(places, 'send', ask(run, places));
  return reads.length + groups.length;
}

function dueOf(place: Place, run: Run, now: number): Due[] {
  const due = next(place, run, now);
  return due ? [{ place, ...due }] : [];
}

/** Until a call ends, or the first of `times` has come. */
async function pause({ clock, signal }: Run, calls: Promise<void>[], times: number[]): Promise<void> {
  const over = new AbortController();
  const ms = Math.max(0, Math.min(...times) - clock.now());
  const sleep = clock.sleep(ms, AbortSignal.any([signal, over.signal]));
  try {
    await Promise.race([sleep, ...calls]);
  } finally {
    over.abort(OVER);
    await sleep.catch(() => undefined);
  }
}

/** One list, or single ones. A list waits for the looks of those that could join it: it would be split by them. */
function groupsToSend(run: Run, ready: Due[], underWay: Map<Place, { deed: Deed }>): Place[][] {
  const places = ready.filter(({ deed }) => deed === 'send').map(({ place }) => place);
  const deeds = [...underWay.values()].map(({ deed }) => deed);
  if (run.singles || run.places.filter(isWanting).length === 1) {
    const room = ABREAST - deeds.filter((deed) => deed === 'send').length;
    return places.slice(0, Math.max(0, room)).map((place) => [place]);
  }
  const now = run.clock.now();
  const isJoining = (place: Place) =>
    isWanting(place) && place.sendAt <= now && underWay.get(place)?.deed === 'look';
  return places.length === 0 || run.places.some(isJoining) ? [] : [places];
}

/** All of it for a look or a last look, one image for a poll. */
async function read(run: Run, place: Place, deed: Deed, signal: AbortSignal): Promise<void> {
  const { cloud, clock } = run;
  const at = clock.now();
  const reading = { deed, at };
  const options = { signal, patience: patienceFor(run, place, deed, at), persist: true };
  const { region, projectId, held } = place;
  try {
    if (deed === 'poll' && held) {
      const query = { Region: region, ProjectId: projectId, ImageIds: [held.imageId] };
      const images = await cloud.describeImages(query, options);
      polled(
        run,
        place,
        images.find(({ ImageId }) => ImageId === held.imageId),
      );
    } else listed(run, place, await customImages(cloud, region, projectId, options), reading);
  } catch (error) {
    if (error instanceof CloudError) unread(run, place, error, reading);
    else if (!signal.aborted) throw error;
  } finally {
    place.triedAt = clock.now();
    place.random = clock.random();
  }
}

/** Milliseconds. A look before the window is over is repeated by the next look, and one behind a refusal not at all. */
function patienceFor({ deadline }: Run, place: Place, deed: Deed, now: number): number {
  const { doubt } = place;
  if (deed === 'look' && doubt && now < deadline && (doubt.kind === 'refused' || now < doubt.clearAt))
    return 0;
  return Math.max(LAST_PATIENCE, deadline - now);
}

/** Nothing else is left to wait for: said once, or the silence would look like a step that hangs. */
function tellLastLook({ report, told }: Run, dues: Due[], now: number): void {
  const at = Math.min(...dues.map((due) => due.at));
  const isQuiet = dues.length > 0 && dues.every(({ deed }) => deed === 'last look') && at - now > 5_000;
  if (!isQuiet || told.has('last look')) return;
  const places = dues.map(({ place }) => place).filter((place) => place.doubt !== null || isBare(place));
  if (places.length === 0) return;
  told.add('last look');
  report({ type: 'notice', message: words.lastLookIn(places, Math.max(...dues.map((due) => due.at)) - now) });
}

function nextBeat({ changedAt }: Run, beatAt: number): number {
  return Math.max(changedAt, beatAt) + HEARTBEAT;
}

/** A sign of life after a silent minute. Returns when the last one was. */
function beat(run: Run, beatAt: number, now: number): number {
  if (now < nextBeat(run, beatAt)) return beatAt;
  const { report, finished, startedAt, places } = run;
  if (places.some((place) => isOpen(place) || isWanting(place))) {
    const slowest = finished.length > 0 ? Math.max(...finished) / 1000 : null;
    report({ type: 'heartbeat', copies: copiesOf(run), seconds: (now - startedAt) / 1000, slowest });
  }
  return now;
}
