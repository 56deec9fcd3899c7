import type { Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { byAge, customImages } from './images.ts';
import { isMarkedBy, readMark } from './mark.ts';
import type { Copy, Problem } from './model.ts';
import { descriptionOf, type Submission, settleAsMade } from './submission.ts';
import { differences } from './verify.ts';

/**
 * How long after an unclear answer a copy that was made may stay unseen, in milliseconds. The gateway gives up after
 * 60 s while the call may still be running behind it (RetCode 110), and a new image takes some time to be listed,
 * which no page bounds: another 60 s. Only when this time has passed is a copy sent again.
 */
export const LISTING_WINDOW = 120_000;

export interface Unclear {
  copy: Copy;
  problem: Problem;
  /** The last answer was a refusal for good, after one that was not clear: look, but do not send again. */
  refused?: true;
}

/** After unclear answers: looks until each copy is found or would surely have been listed. Returns those not found. */
export async function lookForUnclear(
  submission: Submission,
  unclear: Unclear[],
  sentAt: number,
): Promise<Unclear[]> {
  const { clock, signal, deadline, report, uncertain } = submission;
  if (unclear.length === 0) return [];
  const since = clock.now();
  for (const { copy } of unclear) uncertain.set(copy.region, since);
  report({
    type: 'warning',
    problem: {
      message: `It is not clear whether a copy was made in ${unclear.map(({ copy }) => copy.region).join(', ')}: ${unclear[0]?.problem.message}`,
      advice: `Looking for it for up to ${LISTING_WINDOW / 1000} s before anything is sent again.`,
    },
  });
  let missing = unclear;
  const end = Math.min(since + LISTING_WINDOW, deadline);
  for (let pause = 1_000; missing.length > 0; pause = Math.min(pause * 1.5, 15_000)) {
    const left = end - clock.now();
    await clock.sleep(left > 0 ? Math.min(pause, left) : Math.min(pause, deadline - clock.now()), signal);
    const last = clock.now() >= end;
    const seen = await look(
      submission,
      missing.map(({ copy }) => copy),
      sentAt,
      last,
    );
    missing = missing.filter(({ copy }) => copy.imageId === null);
    // The window ends with a look that worked: a region that could not be read is not known to be empty.
    if (last && missing.every(({ copy }) => seen.has(copy.region))) {
      for (const { copy } of missing) copy.unclear = end < since + LISTING_WINDOW;
      break;
    }
    if (clock.now() >= deadline) break;
  }
  return missing;
}

/**
 * Lists the targets once and takes what this run made. Returns the regions that could be read. `orUnmarked`: the time
 * for a marked one is over, so one without a mark counts that may be ours where the site cuts or drops descriptions.
 */
export async function look(
  submission: Submission,
  copies: Copy[],
  sentAt: number,
  orUnmarked: boolean,
): Promise<Set<string>> {
  const seen = new Set<string>();
  await Promise.all(
    copies.map(async (copy) => {
      const newcomers = await listNew(submission, copy);
      if (!newcomers) return;
      seen.add(copy.region);
      const { marked, unmarked } = newcomers;
      const sound = marked.find(({ State }) => State !== 'Unavailable');
      const cut = orUnmarked ? likest(submission, unmarked) : [];
      const found = sound ?? marked[0] ?? cut[0];
      if (!found) return;
      // Its state is taken in by the wait, which verifies it too.
      settleAsMade(copy, found.ImageId, null, sentAt);
      copy.created = marked.length > 0;
      submission.report({ type: 'ids', copies: submission.copies });
      if (!copy.created) {
        submission.report({
          type: 'warning',
          problem: {
            message: `${copy.region}: ${found.ImageId} appeared under the name ${copy.name} after an unclear answer, without our mark. It is taken for this run's copy.`,
            advice: 'A rollback will not delete it, and a later run will not know it.',
          },
        });
      }
    }),
  );
  return seen;
}

/** Those that may be our copy, if the site cuts or drops descriptions: with the most of ours, then like the source. */
function likest({ order, findings }: Submission, images: Image[]): Image[] {
  const sent = descriptionOf(order, findings.source);
  const kept = ({ ImageDescription }: Image) => ImageDescription?.length ?? 0;
  const possible = images.filter(
    ({ State, ImageDescription }) => State !== 'Unavailable' && sent.startsWith(ImageDescription ?? ''),
  );
  const most = Math.max(...possible.map(kept));
  const best = possible.filter((image) => kept(image) === most);
  const alike = best.filter((image) => differences(findings.source, image) === null);
  return alike.length > 0 ? alike : best;
}

/** Images that were not there before this run; null when the region could not be read. The oldest first. */
export async function listNew(
  submission: Submission,
  copy: Pick<Copy, 'region' | 'projectId' | 'name'>,
  patience = 0,
): Promise<{ marked: Image[]; unmarked: Image[] } | null> {
  const { cloud, order, findings, signal } = submission;
  let images: Image[];
  try {
    images = await customImages(cloud, copy.region, copy.projectId, { signal, patience });
  } catch (error) {
    if (error instanceof CloudError) return null;
    throw error;
  }
  const before = new Set(findings.held.get(copy.region)?.map(({ ImageId }) => ImageId));
  const fresh = images.filter(({ ImageId }) => !before.has(ImageId)).sort(byAge);
  return {
    marked: fresh.filter(({ ImageDescription }) => isMarkedBy(order.run, ImageDescription)),
    unmarked: fresh.filter(
      (image) => image.ImageName === copy.name && readMark(image.ImageDescription) === null,
    ),
  };
}
