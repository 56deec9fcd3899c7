import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded, repeat, Stopped } from './context.ts';
import { customImages } from './images.ts';
import { isMarkedBy } from './mark.ts';
import type { Copy, ImageRef, Order, Problem, Promotion, Report } from './model.ts';
import { WINDOW } from './place.ts';

/** What a run has made, or may have made: enough for another process to undo it. */
export interface Traces {
  run: string;
  /** Ids that CopyCustomImage gave to this run. Adopted images are never among them. */
  created: ImageRef[];
  /** Where images may be whose ids are not known: the mark finds them. */
  places: { region: string; projectId: string }[];
  /** An answer was lost: an image may yet be listed. */
  unclear: boolean;
}

/** Milliseconds for which one call is repeated: behind a throttle, many deletes take turns. */
const PATIENCE = 240_000;

/** Milliseconds between two looks for images whose ids are not known. */
const PAUSE = 10_000;

/** What of a promotion a rollback would have to undo. Nothing is anywhere before the first copy was sent. */
export function tracesOf(
  { run, source, target }: Order,
  copies: readonly Copy[],
  submitted: boolean,
): Traces {
  const sent = copies.filter(({ plan }) => plan === 'copy');
  const places = sent.map(({ region, projectId }) => ({ region, projectId }));
  // An API endpoint that ignores the list of a batch makes its one image in the source region.
  if (sent.length > 1 && !sent.some(({ region }) => region === source.region))
    places.push({ region: source.region, projectId: target.projectId });
  return {
    run,
    places: submitted ? places : [],
    unclear: sent.some(({ unclear }) => unclear),
    created: copies.flatMap(({ created, imageId, others, region, projectId }) =>
      [...(created && imageId !== null ? [imageId] : []), ...others].map((id) => ({
        region,
        projectId,
        imageId: id,
      })),
    ),
  };
}

export interface Effects {
  cloud: Cloud;
  clock: Clock;
  report: Report;
  signal: AbortSignal;
  /** The marks of this run are signed with it. */
  markSecret?: string | undefined;
}

/**
 * Deletes what the run made, and tells: known ids at once, then what its mark finds. Never throws. Returns what is
 * gone: those too that were not there for as long as a new image may take to be listed.
 */
export async function rollback(traces: Traces, effects: Effects): Promise<ImageRef[]> {
  const until = bounded(effects.clock, effects.signal, WINDOW);
  const undo = new Undo(traces, { ...effects, signal: until.signal });
  const { deleted, left } = await undo.run();
  until.end();
  effects.report({ type: 'rolled-back', deleted, left });
  return deleted;
}

class Undo {
  private readonly deleted: ImageRef[] = [];
  private readonly left: Problem[] = [];
  private readonly handled = new Set<string>();
  /** Not there when they were to be deleted: gone, or not listed yet. */
  private absent: ImageRef[] = [];
  private readonly traces: Traces;
  private readonly effects: Effects;

  constructor(traces: Traces, effects: Effects) {
    this.traces = traces;
    this.effects = effects;
  }

  async run(): Promise<{ deleted: ImageRef[]; left: Problem[] }> {
    const { clock, signal } = this.effects;
    await Promise.all(this.traces.created.map((image) => this.remove(image)));
    // From now on: the last call may have waited long for its turn before it was sent.
    const end = clock.now() + WINDOW;
    const sleep = (ms: number) => clock.sleep(ms, signal).catch(() => undefined);
    await repeat(sleep, () => this.round(end));
    if (clock.now() >= end) this.deleted.push(...this.absent);
    else {
      for (const { imageId, region } of this.absent)
        this.left.push(problemOf(signal.reason, `${imageId} in ${region} was not listed, so not deleted: `));
    }
    return { deleted: this.deleted, left: this.left };
  }

  /** Milliseconds until the next one; null when nothing can turn up any more. */
  private async round(end: number): Promise<number | null> {
    const { clock, signal } = this.effects;
    const again = this.absent;
    this.absent = [];
    for (const image of again) this.handled.delete(keyOf(image));
    await Promise.all(again.map((image) => this.remove(image)));
    const last = clock.now() >= end || signal.aborted;
    const troubles = await Promise.all(this.traces.places.map((place) => this.sweep(place)));
    if (!last && (this.traces.unclear || this.absent.length > 0))
      return Math.max(0, Math.min(PAUSE, end - clock.now()));
    this.left.push(...troubles.flat());
    return null;
  }

  private async remove(image: ImageRef): Promise<void> {
    const { cloud, signal } = this.effects;
    if (this.handled.has(keyOf(image))) return;
    this.handled.add(keyOf(image));
    const { region, projectId, imageId } = image;
    try {
      const target = { Region: region, ProjectId: projectId, ImageId: imageId };
      const options = { signal, patience: PATIENCE, persist: true };
      const wasThere = await cloud.terminateCustomImage(target, options);
      (wasThere ? this.deleted : this.absent).push(image);
    } catch (error) {
      this.left.push(problemOf(error, `${imageId} in ${region} was not deleted: `));
    }
  }

  private async sweep({ region, projectId }: Traces['places'][number]): Promise<Problem[]> {
    const { cloud, signal, markSecret } = this.effects;
    const signer = markSecret ? { secret: markSecret, projectId } : undefined;
    try {
      const images = await customImages(cloud, region, projectId, {
        signal,
        patience: PATIENCE,
        persist: true,
      });
      const ours = images.filter(({ ImageDescription }) =>
        isMarkedBy(this.traces.run, ImageDescription, signer),
      );
      await Promise.all(ours.map(({ ImageId }) => this.remove({ region, projectId, imageId: ImageId })));
      return [];
    } catch (error) {
      return [problemOf(error, `${region} was not searched for images of this run: `)];
    }
  }
}

/** What a promotion is when these of its images are gone. The reasons why targets failed stay. */
export function withoutDeleted(promotion: Promotion, deleted: readonly ImageRef[]): void {
  const gone = new Set(deleted.map(keyOf));
  const because = promotion.copies.flatMap(({ region, problem, optional }) =>
    problem && !optional ? [region] : [],
  );
  for (const copy of promotion.copies) {
    const { region, projectId, imageId, problem } = copy;
    if (imageId === null || !gone.has(keyOf({ region, projectId, imageId }))) continue;
    promotion.rollback = { by: 'step', because };
    copy.state = 'Deleted';
    copy.created = false;
    copy.outcome = 'failed';
    copy.problem = problem
      ? { message: `${problem.message} The rollback deleted it.`, advice: again(copy) }
      : {
          message: `${region}: the rollback deleted ${imageId}, because ${because.length > 0 ? because.join(', ') : 'the step'} failed.`,
          advice: 'Fix the failed region above, then re-run the job.',
        };
  }
  if (promotion.copies.every(({ outcome }) => outcome === 'failed')) promotion.status = 'failed';
}

function again({ imageId, taskId }: Copy): string {
  const task = taskId ? ` and the task id ${taskId}` : '';
  return `Re-run the job: it copies again. If that fails too, give the vendor the image id ${imageId}${task}.`;
}

/** No page says that an id is unlike those of other regions. */
function keyOf({ region, projectId, imageId }: ImageRef): string {
  return [region, projectId, imageId].join(' ');
}

function problemOf(error: unknown, what: string): Problem {
  if (error instanceof CloudError)
    return { message: `${what}${error.message}.`, advice: `${error.advice} Delete it by hand.` };
  return {
    message: `${what}${error instanceof Stopped ? error.message : 'the step was cancelled.'}`,
    advice: 'Delete it by hand.',
  };
}
