import type { Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { asProblem, type Context, resume } from './context.ts';
import { LISTING_WINDOW } from './look.ts';
import { isMarkedBy } from './mark.ts';
import type { Copy, Problem } from './model.ts';
import { pollDelay, share } from './pace.ts';
import { differences, lostFeatures } from './verify.ts';

const HEARTBEAT = 60_000;

/** A copy that was seen and is then missing from so many answers in a row, over at least LISTING_WINDOW, is gone. */
const MISSES = 3;

export interface Watch extends Context {
  source: Image;
  copies: readonly Copy[];
  /** Milliseconds that the finished copies of this run took. */
  finished: number[];
  /** Unix milliseconds of the last change of any copy. */
  changedAt: number;
  /** Facts that were told and need not be told again. */
  told: Set<string>;
  /** Aborted, and replaced, when a copy has settled: the others may be due sooner. */
  news: AbortController;
}

export function newWatch(context: Context, source: Image, copies: readonly Copy[]): Watch {
  return {
    ...context,
    source,
    copies,
    finished: [],
    changedAt: context.clock.now(),
    told: new Set(),
    news: new AbortController(),
  };
}

/** Polls every region for our ids until all copies have settled or the timeout is over. */
export async function wait(watch: Watch): Promise<void> {
  const open = watch.copies.filter(isOpen);
  const ended = new AbortController();
  const polls = Promise.all(open.map((copy) => follow(watch, copy))).finally(() => ended.abort());
  await Promise.all([polls, heartbeat(watch, AbortSignal.any([watch.signal, ended.signal]))]);
}

/** Still to be waited for. */
export function isOpen(copy: Copy): boolean {
  return (
    copy.imageId !== null && copy.problem === null && copy.outcome !== 'source' && copy.finishedAt === null
  );
}

/** One poll a region: each region has one target, so one id. */
async function follow(watch: Watch, copy: Copy): Promise<void> {
  const { clock } = watch;
  copy.startedAt ??= clock.now();
  let failures = 0;
  let least = 0;
  // An adopted copy was in the listing of the check.
  let seen = copy.plan === 'adopt';
  let misses = 0;
  let lastSeenAt = clock.now();
  for (let last = false; isOpen(copy) && !last; ) {
    const backoff = failures > 0 ? Math.min(1_000 * 2 ** failures, 60_000) * (0.5 + clock.random() / 2) : 0;
    last = await due(watch, copy, Math.max(backoff, least));
    least = 0;
    const answer = await poll(watch, copy);
    if (answer instanceof CloudError) {
      failures += 1;
      least = (answer.waitSeconds ?? 0) * 1000;
      if (answer.verdict === 'final') settle(watch, copy, deniedWhileWaiting(watch, copy, answer));
      else tellTrouble(watch, copy, answer, failures);
      continue;
    }
    failures = 0;
    if (answer) {
      seen = true;
      misses = 0;
      lastSeenAt = clock.now();
      observe(watch, copy, answer);
      continue;
    }
    misses += 1;
    const unseenFor = clock.now() - lastSeenAt;
    if (unseenFor < LISTING_WINDOW) continue;
    if (seen && misses >= MISSES) settle(watch, copy, gone(copy));
    else if (!seen) tell(watch, notListed(copy));
  }
}

/** Sleeps until the next poll, which comes sooner when another copy settles meanwhile. True: it is the last one. */
async function due(watch: Watch, copy: Copy, backoff: number): Promise<boolean> {
  const { clock, order, signal, deadline } = watch;
  const since = clock.now();
  const random = clock.random();
  for (let at = Number.POSITIVE_INFINITY; ; ) {
    const now = clock.now();
    const usual = order.pollInterval ?? pollDelay(now - (copy.startedAt ?? now), watch.finished, random);
    const regions = order.pollInterval === undefined ? watch.copies.filter(isOpen).length : 1;
    at = Math.min(at, since + Math.max(usual * share(regions, watch.finished), backoff));
    if (now >= Math.min(at, deadline)) return now >= deadline;
    const { news } = watch;
    try {
      await clock.sleep(Math.min(at, deadline) - now, AbortSignal.any([signal, news.signal]));
    } catch (error) {
      if (signal.aborted || !news.signal.aborted) throw error;
    }
  }
}

async function poll({ cloud, signal }: Watch, copy: Copy): Promise<Image | undefined | CloudError> {
  const imageId = copy.imageId ?? '';
  try {
    const images = await cloud.describeImages(
      { Region: copy.region, ProjectId: copy.projectId, ImageIds: [imageId] },
      { signal, persist: true },
    );
    return images.find(({ ImageId }) => ImageId === imageId);
  } catch (error) {
    if (error instanceof CloudError) return error;
    throw error;
  }
}

/** Takes in what the API says of a copy: from a poll, or from the listing that it was adopted from. */
export function observe(watch: Watch, copy: Copy, image: Image): void {
  const state = image.State ?? 'unknown';
  const changed = state !== copy.state;
  const from = copy.state;
  copy.state = state;
  if (state === 'Available') {
    const problem = differences(watch.source, image);
    const lost = lostFeatures(watch.source, image);
    if (lost)
      watch.report({ type: 'warning', problem: { ...lost, message: `${copy.region}: ${lost.message}` } });
    if (copy.created && !isMarkedBy(watch.order.run, image.ImageDescription))
      tell(watch, markLost(copy), 'mark');
    settle(watch, copy, problem, from);
    return;
  }
  if (state === 'Unavailable') {
    settle(watch, copy, broken(copy), from);
    return;
  }
  if (state !== 'Copying' && state !== 'Making') tell(watch, unknownState(state));
  if (changed) watch.report({ type: 'state', copy, from, seconds: secondsOf(watch, copy) });
}

function settle(watch: Watch, copy: Copy, problem: Problem | null, from = copy.state): void {
  const now = watch.clock.now();
  copy.finishedAt = now;
  copy.problem = problem && { ...problem, message: `${copy.region}: ${problem.message}` };
  if (problem) copy.outcome = 'failed';
  else if (copy.created) watch.finished.push(now - (copy.startedAt ?? now));
  watch.changedAt = now;
  watch.news.abort();
  watch.news = new AbortController();
  watch.report({ type: 'state', copy, from, seconds: secondsOf(watch, copy) });
}

function secondsOf({ clock }: Pick<Watch, 'clock'>, copy: Copy): number {
  return ((copy.finishedAt ?? clock.now()) - (copy.startedAt ?? clock.now())) / 1000;
}

async function heartbeat(watch: Watch, signal: AbortSignal): Promise<void> {
  const { clock, report, copies } = watch;
  const since = clock.now();
  try {
    for (let next = since + HEARTBEAT; ; ) {
      await clock.sleep(Math.max(0, next - clock.now()), signal);
      const now = clock.now();
      if (now - watch.changedAt >= HEARTBEAT) {
        report({
          type: 'heartbeat',
          copies,
          seconds: (now - since) / 1000,
          remaining: remaining(watch, now),
          slowest: watch.finished.length > 0 ? Math.max(...watch.finished) / 1000 : null,
        });
        next = now + HEARTBEAT;
      } else {
        next = watch.changedAt + HEARTBEAT;
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/**
 * Seconds. Copies of one image to several regions seldom differ by more than half, so the open ones are expected within
 * 1.5 times what the slowest finished one took. Null without a finished one, and in the last minute before that time:
 * by then they have outlasted what it was reckoned from.
 */
function remaining({ copies, finished }: Watch, now: number): number | null {
  if (finished.length === 0) return null;
  const starts = copies.filter(isOpen).map(({ startedAt }) => startedAt ?? now);
  const left = 1.5 * Math.max(...finished) - (now - Math.max(...starts));
  return left >= 60_000 ? left / 1000 : null;
}

/** The same fact once a run. */
function tell(watch: Watch, problem: Problem, fact = problem.message): void {
  if (watch.told.has(fact)) return;
  watch.told.add(fact);
  watch.report({ type: 'warning', problem });
}

/** One lost poll needs nobody; trouble that lasts is told once a region. */
function tellTrouble(watch: Watch, copy: Copy, error: CloudError, failures: number): void {
  if (failures !== 5 || watch.told.has(`trouble in ${copy.region}`)) return;
  watch.told.add(`trouble in ${copy.region}`);
  const message = `${copy.region}: the state of ${copy.imageId} could not be read ${failures} times in a row: ${error.message}.`;
  watch.report({ type: 'notice', message: `${message} It is asked for again until the timeout.` });
}

function deniedWhileWaiting({ order }: Watch, copy: Copy, error: CloudError): Problem {
  const { message, advice } = asProblem(error);
  return {
    message: `${copy.imageId} can no longer be watched: ${message}`,
    advice: `${advice} ${resume(order)}`,
  };
}

function broken(copy: Copy): Problem {
  return {
    message: `the copy ${copy.imageId} ended Unavailable.`,
    advice:
      'It cannot boot a machine: make sure that it is deleted, and run again. If that fails too, give the vendor its image id and task id.',
  };
}

function gone(copy: Copy): Problem {
  return {
    message: `the copy ${copy.imageId} was there and is not any more: somebody deleted it.`,
    advice: 'Find out who deletes images in this project, then run again: a new copy is made.',
  };
}

function notListed(copy: Copy): Problem {
  return {
    message: `${copy.region}: ${copy.imageId} was promised by the API but is not listed yet.`,
    advice: 'It is waited for until the timeout.',
  };
}

function unknownState(state: string): Problem {
  return {
    message: `The API tells a state that nobody documented: ${state}.`,
    advice: 'It is taken for "still under way". If copies stay in it, ask the vendor what it means.',
  };
}

function markLost(copy: Copy): Problem {
  return {
    message: `The site keeps no mark in the description of a copy (first seen: ${copy.imageId} in ${copy.region}).`,
    advice: 'A later run will not know these copies and would copy again: keep the ids of this one.',
  };
}
