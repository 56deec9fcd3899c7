import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded, Stopped } from './context.ts';
import { LISTING_WINDOW } from './look.ts';
import { readMark } from './mark.ts';
import type { Problem } from './model.ts';
import type { Made } from './submission.ts';

/** What a run has made, or may have made: enough for another process to undo it. */
export interface Traces {
  run: string;
  /** Ids that CopyCustomImage gave to this run. Adopted images are never among them. */
  created: Made[];
  /** Where images may be whose ids are not known: the mark finds them. */
  places: { region: string; projectId: string }[];
  /** An answer was lost: an image may yet be listed. */
  unclear: boolean;
}

export interface Undone {
  deleted: Made[];
  /** `image` is null where a place could not be searched. */
  left: { image: Made | null; problem: Problem }[];
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
  // From now on: the last call may have waited long for its turn before it was sent.
  const window = traces.unclear ? LISTING_WINDOW : 0;
  const end = clock.now() + window;
  const until = bounded(clock, step.signal, window);
  const { signal } = until;
  const handled = new Set<string>();

  async function remove(image: Made): Promise<void> {
    if (handled.has(image.imageId)) return;
    handled.add(image.imageId);
    const { region, projectId, imageId } = image;
    try {
      await cloud.terminateCustomImage(
        { Region: region, ProjectId: projectId, ImageId: imageId },
        { signal, patience: PATIENCE },
      );
      undone.deleted.push(image);
    } catch (error) {
      undone.left.push({ image, problem: problemOf(error, `${imageId} in ${region} was not deleted: `) });
    }
  }

  async function sweep({ region, projectId }: Traces['places'][number]): Promise<Problem | null> {
    try {
      const query = { Region: region, ProjectId: projectId, ImageType: 'Custom' as const };
      const images = await cloud.describeImages(query, { signal, patience: PAUSE });
      const ours = images.filter(({ ImageDescription }) => readMark(ImageDescription)?.run === traces.run);
      await Promise.all(ours.map(({ ImageId }) => remove({ region, projectId, imageId: ImageId })));
      return null;
    } catch (error) {
      return problemOf(error, `${region} was not searched for images of this run: `);
    }
  }

  await Promise.all(traces.created.map(remove));
  for (;;) {
    const last = clock.now() >= end || signal.aborted;
    const troubles = await Promise.all(traces.places.map(sweep));
    if (last) {
      undone.left.push(...troubles.flatMap((problem) => (problem ? [{ image: null, problem }] : [])));
      until.end();
      return undone;
    }
    await clock.sleep(Math.min(PAUSE, end - clock.now()), signal).catch(() => undefined);
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
