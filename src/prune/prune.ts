import type { Clock } from '../cloud/clock.ts';
import type { Cloud, Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded } from '../promotion/context.ts';
import { customImages } from '../promotion/images.ts';
import type { Problem } from '../promotion/model.ts';
import { type Decision, decide, type Rules } from './decide.ts';

export interface PruneOrder {
  projectId: string;
  regions: string[];
  rules: Rules;
  dryRun: boolean;
  /** Milliseconds. */
  timeout: number;
}

/**
 * `kept`: stays. `due`: should go, and was not deleted: a dry run, or the run ended before. `deleted`. `gone`: somebody
 * else deleted it first. `failed`: whether it was deleted is not known, or it was not.
 */
export type Fate = 'kept' | 'due' | 'deleted' | 'gone' | 'failed';

export interface Item extends Decision {
  fate: Fate;
}

export interface RegionReport {
  readonly region: string;
  /** The copies of the family, the newest first; null when the list could not be read whole. */
  items: Item[] | null;
  /** Ids of the custom images in the list, those of others included. */
  listed: string[];
  /** Why the region has failed. */
  problems: Problem[];
}

export interface Pruning {
  regions: RegionReport[];
  dryRun: boolean;
  ended: 'complete' | 'timeout' | 'cancelled';
  /** What stopped the whole. */
  problems: Problem[];
}

export type PruneEvent =
  | { type: 'plan'; regions: readonly RegionReport[]; dryRun: boolean }
  | { type: 'fate'; region: string; item: Item; problem: Problem | null }
  | { type: 'notice'; message: string }
  | { type: 'warning'; problem: Problem };

export interface PruneContext {
  order: PruneOrder;
  cloud: Cloud;
  clock: Clock;
  report: (event: PruneEvent) => void;
  /** Aborted when the step is cancelled. */
  signal: AbortSignal;
}

/** Milliseconds after a cancel for the answer of a delete that was sent: the runner kills the step a little later. */
const GRACE = 3_000;

/** Milliseconds for which a delete is repeated that fails for a reason that may pass; a throttle has the whole timeout. */
const PATIENCE = 120_000;
const LONGEST_PAUSE = 20_000;

/** Deletes of an image that is listed, after which the answer "no such image" is taken for a refusal. */
const DENIALS = 3;

/** What the steps share: `signal` is aborted by a cancel, and long after the timeout. */
interface Run extends PruneContext {
  /** Unix milliseconds. */
  deadline: number;
}

/** Lists, decides, reports the plan, deletes. Never throws: whatever happens, what was deleted is in the result. */
export async function prune(context: PruneContext): Promise<Pruning> {
  const { order, clock, report, signal } = context;
  const until = bounded(clock, signal, order.timeout);
  const run: Run = { ...context, signal: until.signal, deadline: clock.now() + order.timeout };
  const result: Pruning = { regions: [], dryRun: order.dryRun, ended: 'complete', problems: [] };
  try {
    result.regions = await Promise.all(order.regions.map((region) => list(run, region)));
    if (!signal.aborted) report({ type: 'plan', regions: result.regions, dryRun: order.dryRun });
    if (!order.dryRun) await Promise.all(result.regions.map((region) => clean(run, region)));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    result.problems.push({
      message: `The action itself failed: ${reason}.`,
      advice: 'This is a defect of the action: please report it, with the log of this step.',
    });
  } finally {
    until.end();
  }
  if (signal.aborted) result.ended = 'cancelled';
  else if (clock.now() >= run.deadline && result.regions.some((one) => isUnfinished(one, order.dryRun)))
    result.ended = 'timeout';
  return result;
}

function isUnfinished({ items }: RegionReport, dryRun: boolean): boolean {
  return items === null || (!dryRun && items.some(({ fate }) => fate === 'due'));
}

async function list(run: Run, region: string): Promise<RegionReport> {
  const result: RegionReport = { region, items: null, listed: [], problems: [] };
  try {
    const images = await read(run, region);
    result.listed = images.map(({ ImageId }) => ImageId);
    result.items = decide(images, run.order.rules, run.clock.now()).map((decision) => ({
      ...decision,
      fate: decision.verdict === 'keep' ? 'kept' : 'due',
    }));
  } catch (error) {
    if (error instanceof CloudError) {
      const what = `The list of images in ${region} could not be read, so nothing is deleted there`;
      result.problems.push(problemOf(error, what));
    } else if (!run.signal.aborted) throw error;
  }
  return result;
}

/** One by one, the oldest first, so that what a cancel leaves behind is the newest. */
async function clean(run: Run, { region, items, problems }: RegionReport): Promise<void> {
  const due = (items ?? []).filter(({ fate }) => fate === 'due').reverse();
  for (const [index, item] of due.entries()) {
    if (run.signal.aborted || run.clock.now() >= run.deadline) return;
    const trouble = await remove(run, region, item);
    if (!trouble && item.fate === 'due') return;
    if (trouble) problems.push(trouble.problem);
    run.report({ type: 'fate', region, item: { ...item }, problem: trouble?.problem ?? null });
    if (!trouble?.isLast) continue;
    const left = due.slice(index + 1).map(({ image }) => image.ImageId);
    if (left.length > 0)
      run.report({ type: 'notice', message: `${region}: not tried after that: ${left.join(', ')}.` });
    return;
  }
}

interface Trouble {
  problem: Problem;
  /** The next delete in the region would end alike. */
  isLast: boolean;
}

/** Looks before each attempt: nothing is deleted that has come to stay while an attempt was repeated. */
async function remove(run: Run, region: string, item: Item): Promise<Trouble | null> {
  const { clock, signal } = run;
  const { ImageId } = item.image;
  const giveUpAt = Math.min(clock.now() + PATIENCE, run.deadline);
  const doubt = `Whether ${ImageId} in ${region} was deleted is not known`;
  let failure: CloudError | null = null;
  let denials = 0;
  for (let attempt = 0; ; attempt++) {
    try {
      if (!(await isStillDue(run, region, item))) {
        if (!failure) return null;
        // Gone after an attempt: that one was executed, whatever its answer was. If it is there, it may yet be.
        item.fate = item.fate === 'gone' ? 'deleted' : 'failed';
        return item.fate === 'deleted' ? null : { problem: problemOf(failure, doubt), isLast: false };
      }
    } catch (error) {
      if (failure) {
        item.fate = 'failed';
        return { problem: problemOf(failure, doubt), isLast: true };
      }
      if (error instanceof CloudError) {
        const what = `${ImageId} in ${region} could not be read again, so it was not deleted`;
        return { problem: problemOf(error, what), isLast: true };
      }
      if (!signal.aborted) throw error;
      return null;
    }
    if (failure && (failure.decisive || clock.now() >= (failure.slow ? run.deadline : giveUpAt))) {
      item.fate = 'failed';
      const problem = problemOf(failure, `${ImageId} in ${region} was not deleted`);
      return { problem, isLast: failure.decisive };
    }
    if (denials >= DENIALS) {
      item.fate = 'failed';
      const message = `${ImageId} in ${region} was not deleted: TerminateCustomImage answers RetCode 8956 (no such image) each time, though DescribeImage lists it.`;
      const advice = 'Delete it in the console. If that fails as well, report the image id to the vendor.';
      return { problem: { message, advice }, isLast: false };
    }
    try {
      if (await terminate(run, region, ImageId)) {
        item.fate = 'deleted';
        return null;
      }
      denials++;
    } catch (error) {
      if (error instanceof CloudError) failure = error;
      else if (!signal.aborted) throw error;
      else {
        item.fate = 'failed';
        const message = `${doubt}: the step was ended before the API answered.`;
        return {
          problem: { message, advice: 'Run it again: it deletes what is still there.' },
          isLast: true,
        };
      }
    }
    if (failure?.decisive) continue;
    const pause = Math.min(LONGEST_PAUSE, 1000 * 2 ** attempt) * (0.5 + clock.random() / 2);
    await clock.sleep(Math.max(pause, (failure?.waitSeconds ?? 0) * 1000), signal).catch(() => undefined);
  }
}

/** Throws when the list cannot be read. Its fate is told when it is not due any more. */
async function isStillDue(run: Run, region: string, item: Item): Promise<boolean> {
  const { ImageId } = item.image;
  const images = await read(run, region);
  if (!images.some((image) => image.ImageId === ImageId)) {
    item.fate = 'gone';
    return false;
  }
  const decisions = decide(images, run.order.rules, run.clock.now());
  const change = changeOf(
    item,
    decisions.find(({ image }) => image.ImageId === ImageId),
  );
  if (change !== null) Object.assign(item, { fate: 'kept', why: change });
  return change === null;
}

/** One attempt. False: there is no such image. */
async function terminate(run: Run, region: string, ImageId: string): Promise<boolean> {
  const until = graced(run.clock, run.signal);
  try {
    const image = { Region: region, ProjectId: run.order.projectId, ImageId };
    // What waits behind a throttle when the step is cancelled is not sent any more.
    const options = { signal: until.signal, persist: true, unsent: run.signal };
    return await run.cloud.terminateCustomImage(image, options);
  } finally {
    until.end();
  }
}

/**
 * The whole list, and not the one image: an image goes because of newer ones that stay, and one of these may have
 * broken or gone meanwhile.
 */
function read(run: Run, region: string): Promise<Image[]> {
  const { clock, cloud, deadline, order, signal } = run;
  const patience = Math.max(0, deadline - clock.now());
  return customImages(cloud, region, order.projectId, { signal, patience });
}

function problemOf({ message, advice }: CloudError, what: string): Problem {
  return { message: `${what}: ${message}.`, advice };
}

/** Null when the image is as it was, and is still to go. */
function changeOf(before: Decision, now: Decision | undefined): string | null {
  if (!now) return 'renamed, or its marker was removed, since the plan';
  const { ImageName, State } = before.image;
  if (now.image.ImageName !== ImageName) return `renamed to ${now.image.ImageName} since the plan`;
  if (JSON.stringify(now.mark) !== JSON.stringify(before.mark))
    return 'its marker was changed since the plan';
  if (now.image.State !== State)
    return `its state has changed to ${now.image.State ?? 'none'} since the plan`;
  return now.verdict === 'keep' ? `now ${now.why}` : null;
}

/** Aborted a little after `signal`. */
function graced(clock: Clock, signal: AbortSignal): { signal: AbortSignal; end(): void } {
  const over = new AbortController();
  const ended = new AbortController();
  const begin = () =>
    clock.sleep(GRACE, ended.signal).then(
      () => over.abort(signal.reason),
      () => undefined,
    );
  signal.addEventListener('abort', begin, { once: true });
  return {
    signal: over.signal,
    end() {
      signal.removeEventListener('abort', begin);
      ended.abort();
    },
  };
}
