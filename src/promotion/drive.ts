import { CloudError } from '../cloud/errors.ts';
import { ask } from './ask.ts';
import { LAST_PATIENCE, remove, tellLeft } from './excess.ts';
import { customImages, isBare } from './images.ts';
import { listed } from './listed.ts';
import { polled, tellUnmarked, unread } from './observe.ts';
import { CLOSING_LOOK, type Deed, isOpen, isWanting, next, type Place, type Run } from './place.ts';
import { copiesOf } from './view.ts';
import * as words from './words.ts';

/** At most so many single calls at once, on an API endpoint without batches. */
const ABREAST = 8;

const HEARTBEAT = 60_000;

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
        // What has changed since may have taken long: then all is looked at once more.
        const { closing, changedAt, deadline } = run;
        if (closing !== null && (now >= deadline || changedAt < closing + CLOSING_LOOK)) return;
        run.closing = now;
        continue;
      }
      const ready = dues.filter(({ at }) => at <= now);
      begin(run, ready, work);
      beatAt = beat(run, beatAt, now);
      if (work.underWay.size === 0) tellLastLook(run, dues, now);
      const upcoming = dues.filter(({ at }) => at > now).map(({ at }) => at);
      await pause(run, work.calls(), [...upcoming, nextBeat(run, beatAt)]);
    }
  } finally {
    work.ended.abort();
    await Promise.all(work.calls());
    for (const place of run.places) tellLeft(run, place);
    tellUnmarked(run);
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

/** Starts what is ready. */
function begin(run: Run, ready: Due[], work: Work): void {
  for (const { place, deed } of ready.filter(({ deed }) => deed !== 'send')) {
    const call = deed === 'delete' ? remove(run, place) : read(run, place, deed, work.ended.signal);
    work.begin([place], deed, call);
  }
  for (const places of groupsToSend(run, ready, work.underWay)) work.begin(places, 'send', ask(run, places));
}

function dueOf(place: Place, run: Run, now: number): Due[] {
  const due = next(place, run, now);
  return due ? [{ place, ...due }] : [];
}

/** Until a call ends, or the first of `times` has come. What a call leaves of the sleep ends with the step, too. */
async function pause({ clock, signal }: Run, calls: Promise<void>[], times: number[]): Promise<void> {
  const ms = Math.max(0, Math.min(...times) - clock.now());
  await Promise.race([clock.sleep(ms, signal), ...calls]);
}

/** One list, or single ones. A list waits for the looks under way, whose places may join it. */
function groupsToSend(run: Run, ready: Due[], underWay: Map<Place, { deed: Deed }>): Place[][] {
  const places = ready.filter(({ deed }) => deed === 'send').map(({ place }) => place);
  const deeds = [...underWay.values()].map(({ deed }) => deed);
  if (run.singles) {
    const room = ABREAST - deeds.filter((deed) => deed === 'send').length;
    return places.slice(0, Math.max(0, room)).map((place) => [place]);
  }
  return places.length === 0 || deeds.includes('look') ? [] : [places];
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
      const [image] = await cloud.describeImages(query, options);
      polled(run, place, image);
    } else listed(run, place, await customImages(cloud, region, projectId, options), reading);
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    unread(run, place, error, reading);
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
  const ms = Math.max(...dues.map(({ at }) => at)) - now;
  const isQuiet = dues.every(({ deed }) => deed === 'last look') && ms > 5_000;
  const places = dues.map(({ place }) => place).filter((place) => place.doubt !== null || isBare(place));
  if (!isQuiet || places.length === 0 || told.has('last look')) return;
  told.add('last look');
  report({ type: 'notice', message: words.lastLookIn(places, ms) });
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
