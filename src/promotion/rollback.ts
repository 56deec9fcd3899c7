import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded, Stopped } from './context.ts';
import { customImages } from './images.ts';
import { LISTING_WINDOW } from './look.ts';
import { isMarkedBy } from './mark.ts';
import type { ImageRef, Problem, Promotion, Report } from './model.ts';

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

/**
 * Deletes what the run made, and tells: known ids at once, then what its mark finds. Never throws. Returns what is
 * gone: those too that were not there for as long as a new image may take to be listed.
 */
export async function rollback(
  traces: Traces,
  { cloud, clock, report, ...step }: { cloud: Cloud; clock: Clock; report: Report; signal: AbortSignal },
): Promise<ImageRef[]> {
  const deleted: ImageRef[] = [];
  const left: Problem[] = [];
  const until = bounded(clock, step.signal, LISTING_WINDOW);
  const { signal } = until;
  const handled = new Set<string>();
  /** Not there when they were to be deleted: gone, or not listed yet. */
  let absent: ImageRef[] = [];

  async function remove(image: ImageRef): Promise<void> {
    if (handled.has(keyOf(image))) return;
    handled.add(keyOf(image));
    const { region, projectId, imageId } = image;
    try {
      const wasThere = await cloud.terminateCustomImage(
        { Region: region, ProjectId: projectId, ImageId: imageId },
        { signal, patience: PATIENCE },
      );
      (wasThere ? deleted : absent).push(image);
    } catch (error) {
      left.push(problemOf(error, `${imageId} in ${region} was not deleted: `));
    }
  }

  async function sweep({ region, projectId }: Traces['places'][number]): Promise<Problem[]> {
    try {
      const images = await customImages(cloud, region, projectId, { signal, patience: PATIENCE });
      const ours = images.filter(({ ImageDescription }) => isMarkedBy(traces.run, ImageDescription));
      await Promise.all(ours.map(({ ImageId }) => remove({ region, projectId, imageId: ImageId })));
      return [];
    } catch (error) {
      return [problemOf(error, `${region} was not searched for images of this run: `)];
    }
  }

  await Promise.all(traces.created.map(remove));
  // From now on: the last call may have waited long for its turn before it was sent.
  const end = clock.now() + LISTING_WINDOW;
  for (;;) {
    const last = clock.now() >= end || signal.aborted;
    const troubles = await Promise.all(traces.places.map(sweep));
    if (last || (!traces.unclear && absent.length === 0)) {
      left.push(...troubles.flat());
      break;
    }
    await clock.sleep(Math.min(PAUSE, end - clock.now()), signal).catch(() => undefined);
    const again = absent;
    absent = [];
    for (const image of again) handled.delete(keyOf(image));
    await Promise.all(again.map(remove));
  }
  if (clock.now() >= end) deleted.push(...absent);
  else {
    left.push(
      ...absent.map(({ imageId, region }) =>
        problemOf(signal.reason, `${imageId} in ${region} was not there to be deleted: `),
      ),
    );
  }
  until.end();
  for (const { imageId, region } of deleted)
    report({ type: 'notice', message: `Rolled back: ${imageId} in ${region} was deleted.` });
  for (const problem of left) report({ type: 'warning', problem });
  if (deleted.length === 0 && left.length === 0)
    report({ type: 'notice', message: 'Rollback: this run left no image.' });
  return deleted;
}

/** What a promotion is when these of its images are gone. The reasons why targets failed stay. */
export function withoutDeleted(promotion: Promotion, deleted: readonly ImageRef[]): void {
  const gone = new Set(deleted.map(keyOf));
  for (const copy of promotion.copies) {
    const { region, projectId, imageId, problem } = copy;
    if (imageId === null || !gone.has(keyOf({ region, projectId, imageId }))) continue;
    copy.state = 'Deleted';
    copy.created = false;
    copy.outcome = 'failed';
    copy.problem = problem
      ? { ...problem, message: `${problem.message} The rollback deleted it.` }
      : {
          message: `${region}: ${imageId} was deleted by the rollback, since another target failed.`,
          advice: 'Mend what failed and run again.',
        };
  }
  if (promotion.copies.every(({ outcome }) => outcome === 'failed')) promotion.status = 'failed';
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
