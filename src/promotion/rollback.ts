import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded, Stopped } from './context.ts';
import { customImages } from './images.ts';
import { LISTING_WINDOW } from './look.ts';
import { isMarkedBy } from './mark.ts';
import type { ImageRef, Problem } from './model.ts';

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

export interface Undone {
  /** Those too that were not there for as long as a new image may take to be listed. */
  deleted: ImageRef[];
  /** `image` is null where a place could not be searched. */
  left: { image: ImageRef | null; problem: Problem }[];
}

/** Milliseconds for which one delete is repeated. */
const PATIENCE = 60_000;

/** Milliseconds between two looks for images whose ids are not known. */
const PAUSE = 10_000;

/** Deletes what the run made: known ids at once, then what its mark finds. Never throws. */
export async function rollback(
  traces: Traces,
  { cloud, clock, ...step }: { cloud: Cloud; clock: Clock; signal: AbortSignal },
): Promise<Undone> {
  const undone: Undone = { deleted: [], left: [] };
  const until = bounded(clock, step.signal, LISTING_WINDOW);
  const { signal } = until;
  const handled = new Set<string>();
  /** Not there when they were to be deleted: gone, or not listed yet. */
  let absent: ImageRef[] = [];

  async function remove(image: ImageRef): Promise<void> {
    if (handled.has(image.imageId)) return;
    handled.add(image.imageId);
    const { region, projectId, imageId } = image;
    try {
      const wasThere = await cloud.terminateCustomImage(
        { Region: region, ProjectId: projectId, ImageId: imageId },
        { signal, patience: PATIENCE },
      );
      (wasThere ? undone.deleted : absent).push(image);
    } catch (error) {
      undone.left.push({ image, problem: problemOf(error, `${imageId} in ${region} was not deleted: `) });
    }
  }

  async function sweep({ region, projectId }: Traces['places'][number]): Promise<Problem | null> {
    try {
      const images = await customImages(cloud, region, projectId, { signal, patience: PAUSE });
      const ours = images.filter(({ ImageDescription }) => isMarkedBy(traces.run, ImageDescription));
      await Promise.all(ours.map(({ ImageId }) => remove({ region, projectId, imageId: ImageId })));
      return null;
    } catch (error) {
      return problemOf(error, `${region} was not searched for images of this run: `);
    }
  }

  await Promise.all(traces.created.map(remove));
  // From now on: the last call may have waited long for its turn before it was sent.
  const end = clock.now() + LISTING_WINDOW;
  for (;;) {
    const last = (!traces.unclear && absent.length === 0) || clock.now() >= end || signal.aborted;
    const troubles = await Promise.all(traces.places.map(sweep));
    if (last) {
      for (const image of absent) {
        if (clock.now() >= end) undone.deleted.push(image);
        else
          undone.left.push({
            image,
            problem: problemOf(
              signal.reason,
              `${image.imageId} in ${image.region} was not there to be deleted: `,
            ),
          });
      }
      undone.left.push(...troubles.flatMap((problem) => (problem ? [{ image: null, problem }] : [])));
      until.end();
      return undone;
    }
    await clock.sleep(Math.min(PAUSE, end - clock.now()), signal).catch(() => undefined);
    const again = absent;
    absent = [];
    for (const { imageId } of again) handled.delete(imageId);
    await Promise.all(again.map(remove));
  }
}

function problemOf(error: unknown, what: string): Problem {
  if (error instanceof CloudError)
    return { message: `${what}${error.message}.`, advice: `${error.advice} Delete it by hand.` };
  return {
    message: `${what}${error instanceof Stopped ? error.message : 'the step was cancelled.'}`,
    advice: 'Delete it by hand, or run again to adopt it.',
  };
}
