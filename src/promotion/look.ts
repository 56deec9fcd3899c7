import type { Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { resume } from './context.ts';
import { byAge, customImages } from './images.ts';
import { isMarkedBy, readMark } from './mark.ts';
import type { Copy, Problem } from './model.ts';
import { descriptionOf, fail, type Submission, settleAsMade } from './submission.ts';
import { differences } from './verify.ts';

/**
 * How long after an unclear answer a copy that was made may stay unseen, in milliseconds. The gateway gives up after
 * 60 s while the call may still be running behind it (RetCode 110), and a new image takes some time to be listed,
 * which no page bounds: another 60 s. Only when this time has passed is a copy sent again.
 */
export const LISTING_WINDOW = 120_000;

/** Milliseconds for which the look that ends the window is repeated: right behind a burst, some reads are throttled. */
const LAST_PATIENCE = 120_000;

/** Looks follow each other ever more slowly. */
const longer = (pause: number) => Math.min(pause * 1.5, 15_000);

/** Milliseconds after the window for which a region that cannot be read holds up the others. A throttle does so longer. */
const UNREADABLE = 180_000;

export interface Unclear {
  copy: Copy;
  problem: Problem;
  /** The last answer was a refusal for good, after one that was not clear: look, but do not send again. */
  refused?: true;
}

/**
 * After unclear answers: looks until each copy is found or would surely have been listed. Returns those not found; one
 * whose region cannot be read fails.
 */
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
  const windowEnd = since + LISTING_WINDOW;
  const end = Math.min(windowEnd, deadline);
  // Not there when the window was over. Looked for with the others as long as those take.
  const absent = new Set<Unclear>();
  let missing = unclear;
  for (let pause = 1_000; missing.some((one) => !absent.has(one)); pause = longer(pause)) {
    const left = end - clock.now();
    await clock.sleep(Math.min(pause, left > 0 ? left : deadline - clock.now()), signal);
    const last = clock.now() >= end;
    const errors = await look(
      submission,
      missing.map(({ copy }) => copy),
      sentAt,
      last ? LAST_PATIENCE : 0,
      clock.now() >= windowEnd ? missing.filter(({ refused }) => !refused).map(({ copy }) => copy) : [],
    );
    missing = missing.filter(({ copy }) => copy.imageId === null);
    for (const one of last ? missing : []) {
      const error = errors.get(one.copy.region);
      if (absent.has(one)) continue;
      if (!error) {
        one.copy.unclear = end < windowEnd;
        absent.add(one);
      } else if (!error.slow && (error.verdict === 'final' || clock.now() >= end + UNREADABLE)) {
        fail(one.copy, unreadable(submission, one, error));
      }
    }
    missing = missing.filter(({ copy }) => copy.problem === null);
    if (clock.now() >= deadline) break;
  }
  return missing;
}

function unreadable({ order }: Submission, { copy, problem }: Unclear, error: CloudError): Problem {
  return {
    message: `${copy.region}: whether a copy was made is not known, and the region cannot be listed: ${error.message}. What was not clear: ${problem.message}`,
    advice: `${error.advice} ${resume(order)}`,
  };
}

/**
 * Lists the targets once and takes what this run made. Returns the errors by region. `orUnmarked`: the time for a marked
 * one is over for these, so one without a mark counts that may be ours, if the site cuts or drops descriptions.
 */
export async function look(
  submission: Submission,
  copies: Copy[],
  sentAt: number,
  patience = 0,
  orUnmarked: Copy[] = [],
): Promise<Map<string, CloudError>> {
  const { report } = submission;
  const errors = new Map<string, CloudError>();
  const without: { copy: Copy; unmarked: Image[] }[] = [];
  // Its state is taken in by the wait, or by the last look.
  const take = (copy: Copy, { ImageId }: Image, isOurs: boolean) => {
    settleAsMade(copy, ImageId, null, sentAt);
    copy.created = isOurs;
    report({ type: 'ids', copies: submission.copies });
  };
  await Promise.all(
    copies.map(async (copy) => {
      const newcomers = await listNew(submission, copy, patience);
      if (newcomers instanceof CloudError) {
        errors.set(copy.region, newcomers);
        return;
      }
      const { marked, unmarked } = newcomers;
      const found = marked.find(({ State }) => State !== 'Unavailable') ?? marked[0];
      if (found) take(copy, found, true);
      else if (orUnmarked.includes(copy)) without.push({ copy, unmarked });
    }),
  );
  for (const { copy, unmarked } of submission.keepsMarks ? [] : without) {
    const [found] = likest(submission, unmarked);
    if (!found) continue;
    take(copy, found, false);
    report({
      type: 'warning',
      problem: {
        message: `${copy.region}: ${found.ImageId} appeared under the name ${copy.name} after an unclear answer, without our mark. It is taken for this run's copy.`,
        advice: 'A rollback will not delete it, and a later run will not know it.',
      },
    });
  }
  return errors;
}

/** The region of an image whose id alone is known; null when none lists it within the time that a new one may take. */
export async function locate(
  submission: Submission,
  imageId: string,
  regions: string[],
): Promise<string | null> {
  const { clock, cloud, signal, order, deadline } = submission;
  const end = Math.min(clock.now() + LISTING_WINDOW, deadline);
  const isIn = async (Region: string) => {
    try {
      const query = { Region, ProjectId: order.target.projectId, ImageIds: [imageId] };
      const images = await cloud.describeImages(query, { signal });
      const found = images.find(({ ImageId }) => ImageId === imageId);
      if (isMarkedBy(order.run, found?.ImageDescription)) submission.keepsMarks = true;
      return found !== undefined;
    } catch (error) {
      if (error instanceof CloudError) return false;
      throw error;
    }
  };
  for (let pause = 1_000; ; pause = longer(pause)) {
    const found = await Promise.all(regions.map(isIn));
    const region = regions[found.indexOf(true)];
    if (region !== undefined) return region;
    const left = end - clock.now();
    if (left <= 0) return null;
    await clock.sleep(Math.min(pause, left), signal);
  }
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

interface Newcomers {
  marked: Image[];
  /** Of the copy's name, and without any mark. */
  unmarked: Image[];
}

/** Images that were not there before this run, the oldest first; the error when the region could not be read. */
export async function listNew(
  submission: Submission,
  copy: Pick<Copy, 'region' | 'projectId' | 'name'>,
  patience: number,
): Promise<Newcomers | CloudError> {
  const { cloud, order, findings, signal } = submission;
  let images: Image[];
  try {
    images = await customImages(cloud, copy.region, copy.projectId, { signal, patience });
  } catch (error) {
    if (error instanceof CloudError) return error;
    throw error;
  }
  const before = new Set(findings.held.get(copy.region)?.map(({ ImageId }) => ImageId));
  const fresh = images.filter(({ ImageId }) => !before.has(ImageId)).sort(byAge);
  const marked = fresh.filter(({ ImageDescription }) => isMarkedBy(order.run, ImageDescription));
  if (marked.length > 0) submission.keepsMarks = true;
  return {
    marked,
    unmarked: fresh.filter(
      (image) => image.ImageName === copy.name && readMark(image.ImageDescription) === null,
    ),
  };
}
