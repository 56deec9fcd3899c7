import type { Clock } from '../cloud/clock.ts';
import type { Cloud, Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded, causesOf } from '../promotion/context.ts';
import { mixedUp } from '../promotion/elsewhere.ts';
import type { Problem } from '../promotion/model.ts';
import { type Decision, decide, type Rules } from './decide.ts';
import { problemOf, read, remove } from './remove.ts';

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
 * else deleted it. `failed`: whether it was deleted is not known, or it was not.
 */
export type Fate = 'kept' | 'due' | 'deleted' | 'gone' | 'failed';

export interface Item extends Decision {
  fate: Fate;
}

export interface RegionReport {
  readonly region: string;
  /** The copies of the family, the newest first; null when the list could not be read whole. */
  items: Item[] | null;
  /** Ids of the custom images in the last list, those of others included. */
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

/** Why nothing may be deleted: in a region, or without one at all. */
export interface Objection {
  region?: string;
  problem: Problem;
}

export interface PruneContext {
  order: PruneOrder;
  cloud: Cloud;
  clock: Clock;
  report: (event: PruneEvent) => void;
  /** In sight of the lists, and of each later one. */
  objections?: (regions: readonly RegionReport[]) => Objection[];
  /** Aborted when the step is cancelled. */
  signal: AbortSignal;
}

/** What the steps share: `signal` is aborted by a cancel, and long after the timeout. */
export interface Run extends PruneContext {
  /** Those of the plan, kept up to date; empty before. */
  regions: readonly RegionReport[];
  /** Unix milliseconds. */
  deadline: number;
}

/** Lists, decides, reports the plan, deletes. Never throws: whatever happens, what was deleted is in the result. */
export async function prune(context: PruneContext): Promise<Pruning> {
  const { order, clock, report, signal } = context;
  const until = bounded(clock, signal, order.timeout);
  const deadline = clock.now() + order.timeout;
  const run: Run = { ...context, signal: until.signal, deadline, regions: [] };
  const regions = order.regions.map(unread);
  const result: Pruning = { regions, dryRun: order.dryRun, ended: 'complete', problems: [] };
  try {
    result.regions = await listAll(run);
    run.regions = result.regions;
    for (const { region, problem } of context.objections?.(result.regions) ?? [])
      (result.regions.find((one) => one.region === region) ?? result).problems.push(problem);
    if (!signal.aborted) report({ type: 'plan', regions: result.regions, dryRun: order.dryRun });
    if (!order.dryRun && result.problems.length === 0)
      await Promise.all(result.regions.map((region) => clean(run, region)));
  } catch (error) {
    result.problems.push(...causesOf(error, signal));
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

async function listAll(run: Run): Promise<RegionReport[]> {
  const lists = await Promise.all(
    run.order.regions.map(async (region) => [region, await list(run, region)] as const),
  );
  const wrong = mixedUp(lists.flatMap(([region, found]) => (Array.isArray(found) ? [[region, found]] : [])));
  return lists.map(([region, found]) => reportOf(run, region, wrong.get(region) ?? found));
}

/** Null when the step ends before the answer. */
async function list(run: Run, region: string): Promise<Image[] | CloudError | null> {
  try {
    return await read(run, region);
  } catch (error) {
    if (error instanceof CloudError) return error;
    if (!run.signal.aborted) throw error;
    return null;
  }
}

export function unread(region: string): RegionReport {
  return { region, items: null, listed: [], problems: [] };
}

function reportOf({ order, clock }: Run, region: string, found: Image[] | CloudError | null): RegionReport {
  const result = unread(region);
  if (found instanceof CloudError) {
    const what = `The list of images in ${region} could not be read, so nothing is deleted there`;
    result.problems.push(problemOf(found, what));
  } else if (found) {
    result.listed = found.map(({ ImageId }) => ImageId);
    result.items = decide(found, order.rules, clock.now()).map((decision) => ({
      ...decision,
      fate: decision.verdict === 'keep' ? 'kept' : 'due',
    }));
  }
  return result;
}

/** One by one, the oldest first, so that what a cancel leaves behind is the newest. */
async function clean(run: Run, { region, items, problems }: RegionReport): Promise<void> {
  if (problems.length > 0) return;
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
