import type { Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { type Context, resume } from './context.ts';
import { LISTING_WINDOW, listNew } from './look.ts';
import { isMarkedBy } from './mark.ts';
import type { Copy, ImageRef } from './model.ts';
import { type Submission, settleAsMade } from './submission.ts';
import { differences } from './verify.ts';
import { isOpen, observe, type Watch } from './wait.ts';

/** Milliseconds for which the last look and the deletes after it are repeated at least, beyond the timeout if need be. */
const LAST_PATIENCE = 30_000;

/** Behind a throttle, many regions take turns: as long as the timeout allows. */
function patient({ signal, deadline, clock }: Context): { signal: AbortSignal; patience: number } {
  return { signal, patience: Math.max(LAST_PATIENCE, deadline - clock.now()) };
}

/**
 * After the wait: deletes what this run made by mistake or twice, and says so. A copy that was sent again after a
 * refusal is looked at once more when a first one would surely have been listed.
 */
export async function reconcile(submission: Submission, watch: Watch): Promise<void> {
  const { clock, signal, deadline, report, copies, uncertain, suspects } = submission;
  const doubtful = copies.filter((copy) => uncertain.has(copy.region) && copy.plan === 'copy');
  if (doubtful.length === 0) return;
  const end = Math.max(...doubtful.map(({ region }) => (uncertain.get(region) ?? 0) + LISTING_WINDOW));
  const left = Math.min(end, deadline) - clock.now();
  if (left > 0) {
    const regions = doubtful.map(({ region }) => region).join(', ');
    report({
      type: 'notice',
      message: `An earlier CopyCustomImage for ${regions} was refused or unclear: a last look in ${Math.ceil(left / 1000)} s makes sure that it made no copy unseen.`,
    });
    await clock.sleep(left, signal);
  }
  const others = [...suspects].filter((region) => !doubtful.some((copy) => copy.region === region));
  await Promise.all([
    ...others.map((region) => removeUnasked(submission, region)),
    ...doubtful.map((copy) => removeSecond(submission, watch, copy)),
  ]);
}

/** What a site that ignored the list of a batch made in the region of the source. */
async function removeUnasked(submission: Submission, region: string): Promise<void> {
  const { projectId } = submission.order.target;
  const newcomers = await listNew(submission, { region, projectId, name: '' }, patient(submission).patience);
  if (newcomers instanceof CloudError) {
    tellUnseen(submission, region, newcomers);
    return;
  }
  const wanted = submission.copies.filter((copy) => copy.region === region);
  for (const { ImageId } of newcomers.marked) {
    if (wanted.some(({ imageId }) => imageId === ImageId)) continue;
    await discard(submission, { region, projectId, imageId: ImageId }, 'without being asked to');
  }
}

/** Takes in what became of the copy meanwhile; a second one is deleted, or taken where it is the better one. */
async function removeSecond(submission: Submission, watch: Watch, copy: Copy): Promise<void> {
  const { clock, report } = submission;
  const { region, projectId } = copy;
  const newcomers = await listNew(submission, copy, patient(submission).patience);
  if (newcomers instanceof CloudError) {
    tellUnseen(submission, region, newcomers);
    return;
  }
  const { marked } = newcomers;
  const isGood = (image: Image) =>
    image.State === 'Available' && !differences(submission.findings.source, image);
  const { imageId: formerId, created } = copy;
  const former = marked.find(({ ImageId }) => ImageId === formerId);
  const isWell = copy.state === 'Available' && copy.problem === null && former?.State !== 'Unavailable';
  const better = isWell ? undefined : marked.find(isGood);
  const sound = marked.find(({ State }) => State !== 'Unavailable') ?? marked[0];
  const taken = better ?? (formerId === null ? sound : undefined);
  if (taken && taken.ImageId !== formerId) {
    settleAsMade(copy, taken.ImageId, null, copy.startedAt ?? clock.now());
    copy.problem = null;
    copy.finishedAt = null;
    if (formerId !== null && created && !former)
      await discard(submission, { region, projectId, imageId: formerId }, 'as a second copy');
  }
  const own = marked.find(({ ImageId }) => ImageId === copy.imageId);
  if (own && isOpen(copy)) observe(watch, copy, own);

  const isOther = ({ ImageId }: Image) => ImageId !== copy.imageId;
  const isSound = copy.outcome !== 'failed' && own !== undefined && own.State !== 'Unavailable';
  for (const { ImageId, State } of marked.filter(isOther)) {
    if (isSound) {
      await discard(submission, { region, projectId, imageId: ImageId }, 'as a second copy');
      continue;
    }
    report({
      type: 'warning',
      problem: {
        message: `${region}: this run made a second copy, ${ImageId}, ${State ?? 'state unknown'}.`,
        advice: `It was kept, since the first one failed or is not there. ${resume(submission.order)}`,
      },
    });
  }
  const strangers = newcomers.unmarked.filter(isOther).map(({ ImageId }) => ImageId);
  if (strangers.length > 0) {
    report({
      type: 'warning',
      problem: {
        message: `${region}: other images named ${copy.name} appeared during this run: ${strangers.join(', ')}.`,
        advice:
          'They carry no mark, so they were left alone. One may be a second copy: delete it if nobody uses it.',
      },
    });
  }
}

function tellUnseen({ report }: Context, region: string, error: CloudError): void {
  report({
    type: 'warning',
    problem: {
      message: `A second copy of this run may be in ${region}, which could not be listed at the end: ${error.message}.`,
      advice: 'Look in the console for images whose description names this run.',
    },
  });
}

/** Deletes the images that a site made where nobody asked for them. */
export async function removeStrays(submission: Submission): Promise<void> {
  const unwanted = submission.strays.filter(
    (stray) =>
      !submission.copies.some(({ region, imageId }) => region === stray.region && imageId === stray.imageId),
  );
  await Promise.all(
    unwanted.map(async (stray) => {
      if (await isForeign(submission, stray)) {
        const message = `CopyCustomImage answered with ${stray.imageId} in ${stray.region}, which was not asked for and is not known to carry this run's mark.`;
        const advice = 'It was left alone. If it is a copy of this run, delete it by hand.';
        submission.report({ type: 'warning', problem: { message, advice } });
      } else await discard(submission, stray, 'without being asked to');
    }),
  );
}

/** An id alone is not enough to delete by. One that is not listed yet is new, and so ours. */
async function isForeign(context: Context, stray: ImageRef): Promise<boolean> {
  const { cloud, order } = context;
  try {
    const { region, projectId, imageId } = stray;
    const query = { Region: region, ProjectId: projectId, ImageIds: [imageId] };
    const [image] = await cloud.describeImages(query, patient(context));
    return image !== undefined && !isMarkedBy(order.run, image.ImageDescription);
  } catch (error) {
    if (error instanceof CloudError) return true;
    // Cancelled: `discard` tells what is left.
    return false;
  }
}

async function discard(context: Context, image: ImageRef, why: string): Promise<void> {
  const { region, projectId, imageId } = image;
  try {
    const wasThere = await context.cloud.terminateCustomImage(
      { Region: region, ProjectId: projectId, ImageId: imageId },
      patient(context),
    );
    const message = `This run made ${imageId} in ${region} ${why}: it ${wasThere ? 'was deleted' : 'is not listed, so it is gone or very new'}.`;
    const advice = wasThere ? 'Nothing is to be done.' : 'Delete it by hand if it turns up.';
    context.report({ type: 'warning', problem: { message, advice } });
  } catch (error) {
    const reason =
      error instanceof CloudError ? `${error.message}.` : 'the step ended before it was deleted.';
    context.report({
      type: 'warning',
      problem: {
        message: `This run made ${imageId} in ${region} ${why}, and it may still be there: ${reason}`,
        advice: 'Delete it by hand.',
      },
    });
    if (!(error instanceof CloudError)) throw error;
  }
}
